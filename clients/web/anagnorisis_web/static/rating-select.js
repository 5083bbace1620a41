// Sends a rating when it is chosen from a list.
//
// With arrow keys a closed list changes at each step: then Enter, or leaving the list, is the choice.

let key = "";

const isRating = (element) => element.matches?.(".rating-select select");

function send(select) {
  delete select.dataset.chosen;
  select.form.requestSubmit();
}

document.addEventListener("pointerdown", () => (key = ""));
document.addEventListener("keydown", (event) => {
  key = event.key;
  if (key === "Enter" && isRating(event.target) && "chosen" in event.target.dataset) {
    event.preventDefault();
    send(event.target);
  }
});
document.addEventListener("change", (event) => {
  if (!isRating(event.target)) return;
  if (key === "" || key === "Enter") send(event.target);
  else event.target.dataset.chosen = "";
});
document.addEventListener("focusout", (event) => {
  if (isRating(event.target) && "chosen" in event.target.dataset) send(event.target);
});
