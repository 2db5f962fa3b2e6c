// The screens: one for each side that is shown, drawn at the game's own size and enlarged with crisp pixels.

const points = new Intl.NumberFormat("en", { signDisplay: "exceptZero", maximumFractionDigits: 2 });

export class Stage {
  constructor(panels, again) {
    this.panels = panels;
    this.again = again;
    this.sides = "";
  }

  size([height, width]) {
    this.height = height;
    this.width = width;
    document.documentElement.style.setProperty("--aspect", width / height);
  }

  show(about, picture) {
    const sides = about.panels.map((panel) => panel.side).join();
    if (sides !== this.sides) this.build(about.panels);
    this.sides = sides;
    about.panels.forEach((panel, place) => this.draw(this.panels.children[place], panel, picture, place));
    this.panels.dataset.step = about.step; // what a test waits for
    this.panels.dataset.action = about.action;
  }

  build(panels) {
    this.panels.replaceChildren(...panels.map((panel) => this.figure(panel.side)));
  }

  figure(side) {
    const figure = document.createElement("figure");
    figure.dataset.side = side;
    figure.innerHTML = `<figcaption><b>${side}</b><meter max="2" high="1" optimum="0" title="How unlike real pictures the dream has become; above the middle, it has left what it learned from" hidden></meter><span class="score">0</span></figcaption>
      <div class="screen"><canvas></canvas><div class="over" hidden><span>Game over</span><button>Play again</button></div></div>`;
    const canvas = figure.querySelector("canvas");
    canvas.width = this.width;
    canvas.height = this.height;
    canvas.setAttribute("aria-label", `${side} game`);
    figure.querySelector("button").onclick = this.again;
    return figure;
  }

  draw(figure, panel, picture, place) {
    const { width, height } = this;
    figure.querySelector("canvas").getContext("2d").drawImage(picture, place * width, 0, width, height, 0, 0, width, height);
    figure.querySelector(".over").hidden = !panel.over;
    const meter = figure.querySelector("meter");
    meter.hidden = panel.surprise === null;
    meter.value = panel.surprise ?? 0;
    const score = figure.querySelector(".score");
    score.textContent = points.format(panel.score);
    if (panel.reward) {
      score.className = "score";
      void score.offsetWidth; // begins the animation anew
      score.classList.add(panel.reward > 0 ? "gain" : "loss");
    }
  }
}
