"""Commands `picks`, `why` and `suggest`."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence

from anagnorisis import text
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.output import show_json, show_table
from anagnorisis.requests import target
from anagnorisis.v1 import pick_pb2 as messages
from anagnorisis.v1.pick_pb2_grpc import PickServiceStub

SUGGEST_TIMEOUT_SECONDS = 120.0
"""Timeout of `suggest`: the worker may have to start, and then rates thousands of candidates."""

JOURNEY_TIMEOUT_SECONDS = 120.0
"""Timeout of `journey`: in a large library, all vectors are read first."""

MIN_SHARE = 0.005
"""Smaller shares would be displayed as 0 % and are omitted."""

SOURCES = {
    messages.RATING_SOURCE_RATING: "your rating",
    messages.RATING_SOURCE_PREDICTED: "predicted",
    messages.RATING_SOURCE_MEAN: "mean of your ratings",
}


def picks(arguments: Namespace) -> None:
    """Show the next picks, or switch picking on or off."""
    with connected(arguments) as channel:
        stub = PickServiceStub(channel)
        if arguments.switch:
            _switch(stub, arguments)
        else:
            _preview(stub, arguments)


def why(arguments: Namespace) -> None:
    """Explain a track's probability of being picked."""
    request = messages.ExplainTrackRequest(target=target(arguments.uri))
    with connected(arguments) as channel:
        answer = PickServiceStub(channel).ExplainTrack(request, timeout=SECONDS_TO_ANSWER)
    if arguments.json:
        show_json(answer)
        return
    print(text.name(answer.track))
    for label, value in _factors(answer.explanation):
        print(f"  {label:<16} {value}")
    for line in _prediction_lines(answer):
        print(line)


def skip(arguments: Namespace) -> None:
    """Skip the rest of the current album."""
    with connected(arguments) as channel:
        answer = PickServiceStub(channel).SkipAlbum(
            messages.SkipAlbumRequest(), timeout=SECONDS_TO_ANSWER
        )
    if arguments.json:
        show_json(answer)
    else:
        print(f"skipped the album; {text.counted(answer.removed, 'entry', 'entries')} removed")


def journey(arguments: Namespace) -> None:
    """List tracks that lead from one to another; queue them on request."""
    request = messages.PlanJourneyRequest(
        start=target(arguments.start),
        end=target(arguments.end),
        count=arguments.limit,
        queue=arguments.queue,
    )
    with connected(arguments) as channel:
        answer = PickServiceStub(channel).PlanJourney(request, timeout=JOURNEY_TIMEOUT_SECONDS)
    if arguments.json:
        for step in answer.tracks:
            show_json(step, line=True)
        return
    show_table(
        ("SIMILARITY", "TRACK", "PATH"),
        [
            (
                f"{step.similarity:.2f}" if number else "",
                f"{text.name(step.track)}, {text.rating(step.track)}",
                text.printable(step.track.uri),
            )
            for number, step in enumerate(answer.tracks)
        ],
    )
    if arguments.queue:
        print(text.queued(answer.tracks))


def suggest(arguments: Namespace) -> None:
    """List unrated tracks whose ratings would improve predictions most; queue them on request."""
    request = messages.SuggestTracksRequest(count=arguments.limit, queue=arguments.queue)
    with connected(arguments) as channel:
        answer = PickServiceStub(channel).SuggestTracks(request, timeout=SUGGEST_TIMEOUT_SECONDS)
    if arguments.json:
        for suggestion in answer.suggestions:
            show_json(suggestion, line=True)
        return
    for suggestion in answer.suggestions:
        track = suggestion.track
        known = suggestion.HasField("song_id") or not arguments.queue
        note = "" if known else " (not queued: MPD does not know the file)"
        print(f"{text.name(track)}, {text.rating(track)}: {text.printable(track.uri)}{note}")
    if arguments.queue:
        print(text.queued(answer.suggestions))


def _switch(stub: PickServiceStub, arguments: Namespace) -> None:
    request = messages.SetPickingRequest(enabled=arguments.switch == "on")
    answer = stub.SetPicking(request, timeout=SECONDS_TO_ANSWER)
    if arguments.json:
        show_json(answer)
    else:
        print(f"picking is {'on' if answer.enabled else 'off'}")


def _preview(stub: PickServiceStub, arguments: Namespace) -> None:
    request = messages.PreviewPicksRequest(count=arguments.count, seed=arguments.seed)
    answer = stub.PreviewPicks(request, timeout=SECONDS_TO_ANSWER)
    if arguments.json:
        for pick in answer.picks:
            show_json(pick, line=True)
    else:
        show_picks(answer.picks)


def show_picks(picks: Sequence[messages.Pick]) -> None:
    """Print a table of picks with their factors; fit and steering only while picks are steered."""
    columns: dict[str, Callable[[messages.Explanation], str]] = {
        "CHANCE": lambda factors: f"{factors.probability:.2%}",
        "WEIGHT": lambda factors: f"{factors.weight:.4f}",
        "RATING": lambda factors: f"{factors.rating_factor:.3f}",
        "SKIPS": lambda factors: f"{factors.skip_factor:.3f}",
        "RECENCY": lambda factors: f"{factors.recency_factor:.3f}",
    }
    if any(pick.explanation.wish_fits for pick in picks):
        columns["FIT"] = lambda factors: f"{mean_fit(factors):.0%}"
        columns["STEERING"] = lambda factors: f"{factors.steering_factor:.3f}"
    if any(pick.explanation.flow_factor != 1 for pick in picks):
        columns["FLOW"] = lambda factors: f"{factors.flow_factor:.3f}"
    show_table(
        [*columns, "TRACK"],
        [
            [
                *(show(pick.explanation) for show in columns.values()),
                f"{text.name(pick.track)}, {text.rating(pick.track)}",
            ]
            for pick in picks
        ],
    )


def mean_fit(factors: messages.Explanation) -> float:
    """Return the share of the library that fits less well, 0 to 1: the mean over the wishes."""
    return sum(each.fit for each in factors.wish_fits) / max(1, len(factors.wish_fits))


def _prediction_lines(answer: messages.ExplainTrackResponse) -> Iterator[str]:
    """Yield the lines that explain a predicted rating; none if the listener rated the track."""
    if answer.explanation.rating_source != messages.RATING_SOURCE_PREDICTED:
        return
    if answer.matching_tags:
        names = text.listed([text.printable(tag.name) for tag in answer.matching_tags])
        liking = "like" if answer.matching_tags[0].predicted_difference > 0 else "dislike"
        predicted = f"predicted {answer.track.predicted_rating:.1f}"
        yield f"  {predicted}: sounds like the {names} tracks that you {liking}"
    contributions = [each for each in answer.feature_contributions if each.share >= MIN_SHARE]
    if contributions:
        yield "  rests on"
    for contribution in contributions:
        feature = contribution.feature.replace("_", " ")
        yield f"  {contribution.share:>6.0%}  {text.printable(feature)}"
    if answer.influences:
        yield "  shaped by"
    for influence in answer.influences:
        rated = f"{text.name(influence.track)}, {text.rating(influence.track)}"
        yield f"  {influence.share:>6.0%}  {rated}"


def _factors(factors: messages.Explanation) -> list[tuple[str, str]]:
    source = SOURCES.get(factors.rating_source, "")
    return [
        ("rating", f"{text.number(factors.rating)} ({source})"),
        ("rating factor", f"{factors.rating_factor:.4f}"),
        ("skip factor", f"{factors.skip_factor:.4f}"),
        ("recency factor", f"{factors.recency_factor:.4f}"),
        *_steering(factors),
        *_album(factors),
        *([("flow factor", f"{factors.flow_factor:.4f}")] if factors.flow_factor != 1 else []),
        *((guard.name.replace("_", " "), f"{guard.factor:.4f}") for guard in factors.guards),
        *((name.replace("_", " "), "given up for now") for name in factors.relaxed_guards),
        *_probability(factors),
    ]


def _steering(factors: messages.Explanation) -> list[tuple[str, str]]:
    """Return the steering factor and the fit to each wish; nothing while nothing is steered."""
    if not factors.wish_fits and factors.steering_factor == 1:
        return []
    fits = ", ".join(
        f"{text.printable(each.wish)}: fits better than {each.fit:.0%}"
        for each in factors.wish_fits
    )
    return [("steering factor", f"{factors.steering_factor:.4f} ({fits})")]


def _album(factors: messages.Explanation) -> list[tuple[str, str]]:
    if not factors.album_tracks:
        return []
    tracks = text.counted(factors.album_tracks, "track")
    return [("album", f"of {tracks}; weight and chance are those of the album")]


def _probability(factors: messages.Explanation) -> list[tuple[str, str]]:
    if not factors.weight and not factors.guards:
        return [("chance", "none while it is in the queue")]
    return [
        ("weight", f"{factors.weight:.6f}"),
        ("chance", f"{factors.probability:.3%} to be the next pick"),
        ("rank", f"{factors.rank} of {factors.candidates}"),
    ]
