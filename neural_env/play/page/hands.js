// Keys and buttons that are held. Arrows stand for w, a, s and d where a game knows only those.

const ARROWS = { arrowup: "w", arrowleft: "a", arrowdown: "s", arrowright: "d" };

export class Hands {
  constructor(send) {
    this.send = send;
    this.held = new Set();
    this.known = new Set();
    addEventListener("keydown", (event) => this.down(event));
    addEventListener("keyup", (event) => this.change(this.name(event), false));
    addEventListener("blur", () => this.release());
    document.addEventListener("visibilitychange", () => document.hidden && this.release());
  }

  learn(keys) {
    this.known = new Set(keys.flatMap(([names]) => names));
  }

  name(event) {
    const key = event.key === " " ? "space" : event.key.toLowerCase();
    return this.known.has(key) ? key : ARROWS[key];
  }

  down(event) {
    const key = this.name(event);
    const isElsewhere = event.target.matches("select") || (event.target.matches("input") && event.key.startsWith("Arrow"));
    if (!this.known.has(key) || isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.change(key, true);
  }

  change(key, isDown) {
    if (!this.known.has(key) || this.held.has(key) === isDown) return;
    this.held[isDown ? "add" : "delete"](key);
    this.send("keys", { held: [...this.held] });
  }

  release() {
    if (this.held.size === 0) return;
    this.held.clear();
    this.send("keys", { held: [] });
  }
}

export function holdable(button, send, action) {
  const hold = (value) => send("hold", { action: value });
  button.onpointerdown = (event) => {
    button.setPointerCapture(event.pointerId);
    hold(action);
  };
  button.onpointerup = button.onpointercancel = () => hold(null);
  button.onkeydown = ({ key, repeat }) => key === "Enter" && !repeat && hold(action);
  button.onkeyup = ({ key }) => key === "Enter" && hold(null);
  button.oncontextmenu = (event) => event.preventDefault();
}
