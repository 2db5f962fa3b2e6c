// The page: what is heard becomes what is shown, what is done becomes a message. The server holds the whole state.

import { Connection } from "./connection.js";
import { Hands, holdable } from "./hands.js";
import { Stage } from "./stage.js";

const $ = (selector) => document.querySelector(selector);
const $$ = (selector) => [...document.querySelectorAll(selector)];
const TITLES = { dream: "Dream", real: "Real", both: "Both" };

history.replaceState(null, "", "/"); // the token is a cookie by now

let now = null; // the last turn
const connection = new Connection({ greeting, complaint, film, turn, gone });
const send = (name, fields) => connection.send(name, fields);
const stage = new Stage($("#panels"), () => begin());
const hands = new Hands(send);

function element(tag, fields, ...children) {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
}

function begin(start = null) {
  document.body.classList.add("busy");
  send("begin", { start, seed: null });
}

// ---- what is heard ------------------------------------------------------------------------------------------------

function greeting(world) {
  document.title = `${world.game} · neural-env`;
  $("#game").textContent = world.game;
  stage.size(world.size);
  hands.learn(world.keys);
  $("#views").replaceChildren(...["dream", "both", "real"].map((view) => viewButton(view, world)));
  $("#player").replaceChildren(...world.players.map((name) => element("option", { value: name, textContent: name })));
  showActions(world);
  for (const input of $$("[data-sample], #speed")) setRange(input, world.ranges[input.dataset.sample ?? "speed"]);
  showStarts(world);
  const hasDream = world.views.includes("dream");
  $("#sampling").hidden = $("#beginnings").hidden = !hasDream;
  $("#hints").innerHTML = "<kbd>p</kbd> pause &ensp; <kbd>.</kbd> one step &ensp; <kbd>Enter</kbd> new game &ensp; arrows work, too";
}

function viewButton(view, world) {
  const isThere = world.views.includes(view);
  const title = isThere ? "" : world.why_not_real || "There is no world here to dream of";
  const button = element("button", { textContent: TITLES[view], disabled: !isThere, title });
  button.dataset.view = view;
  button.onclick = () => {
    document.body.classList.add("busy");
    send("show", { view });
  };
  return button;
}

function showActions(world) {
  const keysOf = (action) => world.keys.find(([names, which]) => which === action && names.length)?.[0] ?? [];
  $("#actions").classList.toggle("many", world.actions.length > 9);
  $("#actions").replaceChildren(
    ...world.actions.map((meaning, action) => {
      const hints = keysOf(action).map((key) => element("kbd", { textContent: key }));
      const button = element("button", {}, meaning.replaceAll("_", " "), ...hints);
      holdable(button, send, action);
      return button;
    }),
  );
}

function showStarts(world) {
  const rows = Math.ceil(world.starts.length / world.columns);
  const at = (place, count) => (count > 1 ? (100 * place) / (count - 1) : 0);
  $("#starts").replaceChildren(
    ...world.starts.map((kind, start) => {
      const label = kind === "beginning" ? `Start ${start}: a new game` : `Start ${start}: within a game`;
      const button = element("button", { title: label, ariaLabel: label, onclick: () => begin(start) });
      button.dataset.start = start;
      button.style.backgroundImage = "url(/starts.png)";
      button.style.backgroundSize = `${100 * world.columns}% ${100 * rows}%`;
      button.style.backgroundPosition = `${at(start % world.columns, world.columns)}% ${at(Math.floor(start / world.columns), rows)}%`;
      return button;
    }),
  );
}

function turn(about, picture) {
  if (now?.episode !== about.episode) document.body.classList.remove("busy");
  now = about;
  stage.show(about, picture);
  for (const button of $$("[data-view]")) button.ariaPressed = button.dataset.view === about.view;
  for (const button of $$("#starts button")) button.ariaPressed = Number(button.dataset.start) === about.start;
  [...$("#actions").children].forEach((button, action) => button.classList.toggle("lit", action === about.action));
  $("#pause").ariaPressed = about.paused;
  if (document.activeElement !== $("#player")) $("#player").value = about.player;
  follow($("#speed"), about.speed, `${about.speed.toFixed(1)}×`);
  for (const input of $$("[data-sample]")) {
    const value = about.sampling?.[input.dataset.sample] ?? 0;
    follow(input, value, input.dataset.sample === "steps" ? value : value.toFixed(2));
  }
  for (const button of $$("[data-film]")) button.classList.toggle("lit", about.filming);
  const ticks = about.executed.length ? ` · ticks ${about.executed.join(" ")}` : "";
  const figures = `${about.fps.toFixed(0)} fps · ${about.milliseconds.toFixed(0)} ms a step · step ${about.step}`;
  $("#status").replaceChildren(figures, element("span", { className: "ticks", textContent: ticks }));
}

function film({ video, log }) {
  const link = (name, text) => element("a", { href: `/films/${name}`, textContent: text, download: "" });
  $("#films").prepend(element("li", {}, link(video, `Film ${$("#films").children.length + 1}${video.slice(-4)}`), link(log, "actions")));
}

let quiet = 0;
function complaint({ says }) {
  document.body.classList.remove("busy");
  $("#toast").textContent = says;
  $("#toast").hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => ($("#toast").hidden = true), 6000);
}

function gone(code, reason) {
  $("#gone h2").textContent = code === 1013 ? "Everybody is playing" : "The game has left";
  $("#gone p").textContent = reason || "The server has ended, or cannot be reached.";
  $("#gone").showModal();
}

// ---- what is done -------------------------------------------------------------------------------------------------

function setRange(input, { least, most, step }) {
  Object.assign(input, { min: least, max: most, step });
}

function follow(input, value, text) {
  if (!input.matches(":active")) input.value = value;
  input.style.setProperty("--filled", `${(100 * (input.value - input.min)) / (input.max - input.min)}%`);
  input.nextElementSibling.textContent = text;
}

const pause = () => send("pause", { paused: !now?.paused });
const single = () => (now?.paused ? send("single_step") : send("pause", { paused: true }));

$("#pause").onclick = pause;
$("#single").onclick = single;
$("#again").onclick = () => begin();
$("#player").onchange = ({ target }) => {
  send("play_as", { player: target.value });
  target.blur();
};
$("#speed").oninput = ({ target }) => send("speed", { factor: Number(target.value) });
for (const input of $$("[data-sample]"))
  input.oninput = () => send("sample", { values: { [input.dataset.sample]: Number(input.value) } });
for (const button of $$("#pools button")) button.onclick = () => begin(button.dataset.start);
for (const button of $$("[data-film]"))
  button.onclick = () => send("film", { suffix: now?.filming ? null : button.dataset.film });
$("#gone button").onclick = () => location.reload();

addEventListener("keydown", ({ key, repeat, target }) => {
  if (repeat || hands.known.has(key.toLowerCase()) || target.matches("button, select, input")) return;
  ({ p: pause, ".": single, Enter: () => begin() })[key]?.();
});
// A button that was clicked would otherwise be pressed again by the space bar, which is a key of many games.
addEventListener("click", ({ target, detail }) => detail > 0 && target.closest("button")?.blur());
if (matchMedia("(max-width: 560px)").matches) for (const each of $$("aside details")) each.open = false;
