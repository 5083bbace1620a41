// The page Teach me: says when the browser cannot play the format of a preview.

function check() {
  const audio = document.querySelector("#lesson audio");
  if (!audio) return;
  const unplayable = () => {
    audio.hidden = true;
    document.querySelector("#lesson .unplayable").hidden = false;
  };
  audio.addEventListener("error", unplayable);
  if (!audio.canPlayType(audio.dataset.type)) unplayable();
}

document.addEventListener("refreshed", check);
check();
