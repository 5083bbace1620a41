// What test_every_page.py asks of a page.

const outline = (element) => element.outerHTML.slice(0, 120);
const SELECTOR = "a[href], button, input, select, textarea, summary, [tabindex='0']";

window.pageChecks = {
  // Controls that are smaller than 44 pixels. Links in a sentence may be.
  smallTargets() {
    return [...document.querySelectorAll("button, select, input, nav a, summary, canvas")]
      .map((element) => [element, (element.closest("label") ?? element).getBoundingClientRect()])
      .filter(([element, box]) => element.checkVisibility() && box.width > 1)
      .filter(([, box]) => box.width < 43.9 || box.height < 43.9)
      .map(([element, box]) => `${outline(element)} ${box.width}x${box.height}`);
  },

  // Begins to note which controls get the focus; returns how many there are. Of radio buttons the Tab
  // key reaches one.
  watchFocus() {
    this.controls = [...document.querySelectorAll(SELECTOR)].filter(
      (element) =>
        element.checkVisibility({ visibilityProperty: true }) &&
        !element.disabled &&
        !["hidden", "radio"].includes(element.type) &&
        element.tabIndex >= 0,
    );
    this.reached = new Map();
    document.addEventListener("focusin", ({ target }) => {
      const style = getComputedStyle(target);
      this.reached.set(target, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
    });
    document.activeElement?.blur();
    return this.controls.length;
  },

  notReached() {
    return this.controls.filter((each) => each.isConnected && !this.reached.has(each)).map(outline);
  },

  withoutVisibleFocus() {
    return [...this.reached].filter(([, seen]) => !seen).map(([element]) => outline(element));
  },
};
