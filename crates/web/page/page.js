import { CELLS, LOSS } from "./cells.js";
import { ABOUT, fromHash, preset, settings, toHash } from "./settings.js";

const at = (id) => document.getElementById(id);
const form = at("settings");

// ---- The worker: a question at a time has an answer; what happens in between are events. ----

const MOST_EVENTS = 5000;

let worker;
let ready = false;
let asks;
let nextId = 0;
let hear = () => {};

function start() {
  worker = new Worker("worker.js", { type: "module" });
  asks = new Map();
  worker.onmessage = ({ data }) => {
    if (data.event) {
      if (gatefold.events.push({ ...data.event, picture: undefined }) > MOST_EVENTS) gatefold.events.shift();
      return hear(data.event);
    }
    if (data.broken) return broke(data.broken);
    const { resolve, reject } = asks.get(data.id);
    asks.delete(data.id);
    data.error === undefined ? resolve(data.result) : reject(new Error(data.error));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    broke(event.message || "the worker could not be loaded");
  };
}

function ask(what, of) {
  return new Promise((resolve, reject) => {
    if (!worker) return reject(new Error("The computation has ended: load the page again."));
    asks.set(++nextId, { resolve, reject });
    worker.postMessage({ id: nextId, what, of });
  });
}

// What touches the trained run, one after the other.
let last = Promise.resolve();
function inTurn(work) {
  const done = last.then(work);
  last = done.catch(() => {});
  return done;
}

// After a panic or without its GPU, a worker is of no more use: a new one begins, with what the page has kept.
async function broke(why) {
  worker.terminate();
  worker = null;
  const left = [...asks.values()];
  if (ready) start();
  ready = false;
  for (const { reject } of left) reject(new Error(why));
  if (!worker) return;
  try {
    await load();
    await inTurn(reopen);
  } catch (error) {
    worker?.terminate();
    worker = null;
    fail(error.message);
  }
  setBusy(busy);
}

async function load() {
  const found = await ask("load");
  const gpu = found.gpu ? `${found.gpu}${found.isFallback ? ", which the CPU computes" : ""}` : `no GPU (${found.reason})`;
  at("device").textContent = `This browser offers: ${gpu}; ${found.cpu}.`;
  at("device").dataset.ready = "yes";
  ready = true;
}

// ---- Settings ----

let table = null;

function showSettings() {
  const dataset = form.elements.dataset.value;
  at("about-data").textContent = dataset === "table" && table ? `${table.name}, ${table.size.toLocaleString("en")} bytes` : ABOUT[dataset];
  at("drop-table").hidden = dataset !== "table";
  showCell(form.elements.cell.value);
}

// The cell that is chosen.
let shown;

async function showCell(name) {
  if (shown === name) return;
  shown = name;
  at("cell-text").textContent = CELLS[name].text;
  at("cell-equations").innerHTML = CELLS[name].equations;
  const text = await kernel(name);
  if (shown === name) at("cell-kernel").textContent = text;
}

async function kernel(name) {
  const found = await fetch(`shaders/${CELLS[name].kernel}.wgsl`);
  return found.ok ? found.text() : "";
}

// The cell of the trained run.
async function showCellOf(run) {
  at("gate-equation").innerHTML = CELLS[run.cell].gates;
  at("reach-equation").innerHTML = CELLS[run.cell].reach;
  const text = await kernel(run.cell);
  const back = text.search(/^(struct \w+Gradients|fn \w+_backward)/m);
  at("forward-kernel").textContent = text.slice(0, back);
  at("backward-kernel").textContent = text.slice(back);
}

form.addEventListener("change", ({ target }) => {
  if (target.name === "dataset") preset(form, target.value);
  showSettings();
  history.replaceState(null, "", toHash(form) || location.pathname);
});

function readHash() {
  const wrong = fromHash(form, location.hash);
  showSettings();
  fail(wrong.length ? `The link says what can’t be set, which is left out: ${wrong.join(", ")}.` : "");
}

addEventListener("hashchange", readHash);

// Larger ones are for the program: everything here is in memory several times over.
const MOST_BYTES = 64 << 20;

function takeTable(file) {
  if (file.size > MOST_BYTES) return fail(`${file.name} has more than ${MOST_BYTES >> 20} MiB: use the program for it, gatefold train --dataset ${file.name}`);
  table = file;
  fail("");
  if (form.elements.dataset.value !== "table") {
    form.elements.dataset.value = "table";
    form.elements.dataset.dispatchEvent(new Event("change", { bubbles: true }));
  }
  showSettings();
}

at("table").addEventListener("change", ({ target }) => {
  if (target.files[0]) takeTable(target.files[0]);
  // The same file can be chosen again, after it was changed.
  target.value = "";
});
const hasFile = (event) => event.dataTransfer.types.includes("Files");
addEventListener("dragover", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  const file = event.dataTransfer.files[0];
  if (file?.name.toLowerCase().endsWith(".zip")) openZip(file);
  else if (file) takeTable(file);
});

at("link").addEventListener("click", async ({ target }) => {
  const link = location.href.split("#")[0] + toHash(form);
  try {
    await navigator.clipboard.writeText(link);
    target.textContent = "Copied";
  } catch {
    target.textContent = "It is in the address bar";
  }
  setTimeout(() => (target.textContent = "Copy a link to these settings"), 2000);
});

function fail(text) {
  at("error").textContent = text;
  at("error").hidden = !text;
}

// ---- Training ----

let busy = false;

function setBusy(value) {
  busy = value;
  for (const id of ["start", "compare"]) at(id).disabled = value || !ready;
  setTraining(false);
}

// While it can be paused and stopped.
let paused = false;

function setTraining(value) {
  for (const id of ["pause", "stop"]) at(id).disabled = !value;
  setPaused(false);
}

function setPaused(value) {
  paused = value;
  at("pause").textContent = value ? "Go on" : "Pause";
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
let facts;

function showFacts(more) {
  Object.assign(facts, more);
  const known = Object.entries(facts).filter(([, value]) => value !== undefined && value !== null);
  at("facts").replaceChildren(...known.map(([name, value]) => {
    const [entry, term, text] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
    [term.textContent, text.textContent] = [name, value];
    entry.append(term, text);
    return entry;
  }));
}

// Says an epoch at a time, so that a screen reader is not flooded.
function say(text) {
  at("status").textContent = text;
}

const events = (title, epochs) => ({
  data({ train, validation, test, parameters, objective, notes }) {
    at("loss-equation").innerHTML = LOSS[objective];
    at("notes").replaceChildren(...notes.map(({ doubtful, text }) => {
      const item = document.createElement("li");
      item.textContent = text;
      item.className = doubtful ? "doubtful" : "";
      return item;
    }));
    showFacts({
      "epoch": `1 of ${epochs}`, "loss": "–", "accuracy": objective === "values" ? null : "–", "steps a second": "–", "device": "–",
      "weights": parameters.toLocaleString("en"),
      "examples to learn from": train.toLocaleString("en"),
      "to choose the best epoch": validation.toLocaleString("en"),
      "to test": test.toLocaleString("en"),
    });
  },
  check: () => say(`${title}: the GPU’s kernels are compiled, and a step is compared with the CPU’s …`),
  device({ name, why }) {
    setTraining(true);
    say(`${title}: training …`);
    showFacts({ device: why ? `${name} (${why})` : name });
  },
  step({ epoch, step, steps, loss, accuracy, steps_per_second, picture }) {
    const behind = (epoch - 1 + step / steps) / epochs;
    at("progress").value = behind;
    showFacts({
      epoch: `${epoch} of ${epochs}, step ${step} of ${steps}`,
      ...(typeof loss === "number" && { loss: loss.toFixed(4) }),
      ...(typeof accuracy === "number" && { accuracy: percent(accuracy) }),
      ...(typeof steps_per_second === "number" && { "steps a second": steps_per_second.toFixed(steps_per_second < 10 ? 2 : 0) }),
    });
    if (picture) at("curves").innerHTML = picture;
  },
  epoch({ metrics }) {
    const accuracy = metrics.validation_accuracy === undefined ? "" : `, ${percent(metrics.validation_accuracy)} right`;
    say(`${title}, epoch ${metrics.epoch} of ${epochs}: validation loss ${metrics.validation_loss.toFixed(4)}${accuracy}.`);
  },
  test() {
    setTraining(false);
    say(`${title}: testing …`);
  },
});

// Trains one network; gives what the worker says of it, or nothing if it was stopped before its first epoch's end.
async function train(of, title) {
  facts = {};
  at("curves").replaceChildren();
  at("progress").value = 0;
  at("learning").hidden = false;
  at("learning-title").focus({ preventScroll: true });
  say(`${title}: preparing the data …`);
  at("status").scrollIntoView();
  const handlers = events(title, of.config.training.epochs);
  gatefold.events = [];
  hear = (event) => handlers[event.kind](event);
  return ask("train", of);
}

async function request() {
  if (!form.reportValidity()) return null;
  const of = settings(form, table?.name);
  if (form.elements.dataset.value === "table") {
    if (!table) {
      fail("Choose a table first, or drop it on this page.");
      return null;
    }
    try {
      of.table = await table.arrayBuffer();
    } catch {
      fail(`${table.name} has changed since it was chosen, or is gone: choose it again.`);
      return null;
    }
  }
  return of;
}

async function whileBusy(work) {
  fail("");
  setBusy(true);
  try {
    await work();
  } catch (error) {
    say("");
    fail(error.message);
  } finally {
    setBusy(false);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (busy) return;
  whileBusy(async () => {
    const of = await request();
    if (!of) return;
    const trained = await train(of, form.elements.cell.selectedOptions[0].text);
    if (!trained) return say("Stopped.");
    await inTurn(() => show(trained));
    say(trained.accuracy === null ? `Done: a loss of ${trained.loss.toFixed(4)} in the test.` : `Done: ${percent(trained.accuracy)} of the test answered rightly.`);
  });
});

at("pause").addEventListener("click", () => {
  setPaused(!paused);
  ask(paused ? "pause" : "resume");
});
let stopped = false;
at("stop").addEventListener("click", () => {
  stopped = true;
  setTraining(false);
  ask("stop");
});

at("compare").addEventListener("click", () => whileBusy(async () => {
  const of = await request();
  if (!of) return;
  const trained = [];
  stopped = false;
  try {
    for (const option of form.elements.cell.options) {
      const config = structuredClone(of.config);
      config.model.cell = option.value;
      const run = await train({ ...of, config }, option.text);
      if (run) trained.push(run.run);
      // One that was stopped is no match for the others.
      if (!run || stopped) return say("Stopped: nothing is compared.");
      say(`${option.text}: measuring how far back it can learn …`);
      // Where that is no number, it is left out.
      await ask("reach", { run: run.run }).catch(() => {});
    }
    at("comparison").innerHTML = await ask("compare", { of: trained });
    at("comparison-section").hidden = false;
    say("Done: the cells stand side by side below.");
  } finally {
    for (const run of trained) await ask("forget", { run });
  }
}));

// ---- A trained network ----

let current = null;
// What a new worker opens it from.
let archive = null;

async function show(run, source = null) {
  if (current) await ask("forget", { run: current.run });
  current = run;
  archive = source;
  offer(null);
  at("explanation").replaceChildren();
  at("answer").textContent = "";
  for (const id of ["result-section", "reach-section"]) at(id).hidden = true;
  showCellOf(run);
  at("ask-section").hidden = !run.explains;
  if (run.epochs) {
    at("result").innerHTML = await ask("result", { run: run.run });
    at("result-section").hidden = false;
  }
  // A run from elsewhere lies where it came from.
  if (!source) await keepArchive();
  say("Measuring how far back it can learn …");
  try {
    at("reach").innerHTML = await ask("reach", { run: run.run });
  } catch (error) {
    at("reach").textContent = `It can’t be measured: ${error.message}`;
  }
  at("reach-section").hidden = !at("reach").textContent;
  // With what was measured in its report.
  if (!source && !at("reach-section").hidden) await keepArchive();
}

const folder = (run) => `${run.dataset.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "-") || "run"}-${run.cell}`;

async function keepArchive() {
  const bytes = await ask("zip", { run: current.run, folder: folder(current) });
  archive = { zip: bytes.buffer };
  offer(new Blob([bytes], { type: "application/zip" }));
}

function offer(blob) {
  const link = at("download");
  if (link.href) URL.revokeObjectURL(link.href);
  link.removeAttribute("href");
  link.hidden = !blob;
  if (!blob) return;
  link.href = URL.createObjectURL(blob);
  link.download = `${folder(current)}.zip`;
}

async function reopen() {
  if (!current) return;
  if (archive) {
    current = { ...current, ...(await ask("open", { name: current.cell, ...archive })) };
    return;
  }
  current = null;
  for (const id of ["ask-section", "result-section", "reach-section"]) at(id).hidden = true;
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value;
  inTurn(async () => {
    try {
      const answer = await ask("answer", { run: current.run, text });
      at("answer").textContent = answer.slice(0, 5).map(({ label, probability }) => `${label} ${percent(probability)}`).join(", ");
      at("explanation").innerHTML = await ask("explain", { run: current.run, text });
    } catch (error) {
      at("answer").textContent = error.message;
      at("explanation").replaceChildren();
    }
  });
});

// ---- Runs from elsewhere ----

const RUN_FILES = ["config.toml", "vocabulary.json", "scaler.json", "target_scaler.json", "labels.json", "model.safetensors", "metrics.jsonl", "summary.json"];
const MOST_RUN_BYTES = 512 << 20;

// Opens what `read` makes of files.
function open(name, files, read) {
  at("opened").textContent = `${name} is being opened …`;
  return inTurn(async () => {
    try {
      if (files.reduce((sum, file) => sum + file.size, 0) > MOST_RUN_BYTES) throw new Error(`it has more than ${MOST_RUN_BYTES >> 20} MiB: that is no run for a browser`);
      const source = await read(files);
      const run = await ask("open", { name, ...source });
      await show(run, source);
      say("");
      at("opened").textContent = `${name} is open: ${run.cell} of ${run.dataset}. ${run.explains ? "Ask it above." : "It answers no texts with classes, so that it can’t be asked here."}`;
    } catch (error) {
      at("opened").textContent = `${name}: ${error.message}`;
    }
  });
}

const openZip = (file) => open(file.name, [file], async () => ({ zip: await file.arrayBuffer() }));

at("open-zip").addEventListener("change", ({ target }) => {
  if (target.files[0]) openZip(target.files[0]);
  target.value = "";
});
at("open-folder").addEventListener("change", ({ target }) => {
  // Those of the folder itself.
  const files = [...target.files].filter((file) => file.webkitRelativePath.split("/").length === 2 && RUN_FILES.includes(file.name));
  const name = target.files[0]?.webkitRelativePath.split("/")[0] ?? "the folder";
  target.value = "";
  open(name, files, async () => ({ files: await Promise.all(files.map(async (file) => [file.name, await file.arrayBuffer()])) }));
});

// ---- Begin ----

// For tests, and for the curious at the console.
globalThis.gatefold = { ask, events: [] };

readHash();
start();
load().then(() => setBusy(false), (error) => {
  at("device").textContent = "";
  fail(`The page can’t begin: ${error.message}. A browser of the last three years is needed.`);
});
navigator.serviceWorker?.register("service-worker.js").catch(() => {});
