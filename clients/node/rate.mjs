// Rates the song that plays: `node rate.mjs 8`. A complete client, from the proto files alone.
//
// The socket is that of the daemon: $ANAGNORISIS_SOCKET, else the usual place of a user's daemon.

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const contract = fileURLToPath(new URL("../../proto", import.meta.url));
const socket =
  process.env.ANAGNORISIS_SOCKET ??
  `${process.env.XDG_RUNTIME_DIR}/anagnorisis/anagnorisisd.sock`;

const loaded = loader.loadSync("anagnorisis/v1/rating.proto", {
  includeDirs: [contract],
  keepCase: true,
});
const { RatingService } = grpc.loadPackageDefinition(loaded).anagnorisis.v1;
const ratings = new RatingService(`unix:${socket}`, grpc.credentials.createInsecure());
const rateTrack = promisify(ratings.RateTrack.bind(ratings));

const rating = Number(process.argv[2]);
if (process.argv[2] === undefined || Number.isNaN(rating)) {
  console.error("usage: node rate.mjs RATING");
  process.exit(2);
}

try {
  const { change } = await rateTrack({ target: { current: {} }, rating, source: "node" });
  console.log(`${change.track.title}: ${change.rating}`);
} catch (error) {
  console.error(`${grpc.status[error.code]}: ${error.details}`);
  process.exitCode = 1;
} finally {
  ratings.close();
}
