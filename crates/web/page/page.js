import { CELLS, LOSS } from "./cells.js";
import { ABOUT, fromHash, preset, settings, toHash } from "./settings.js";

const at = (id) => document.getElementById(id);
const form = at("settings");

// ---- The worker: a question at a time has an answer; what happens in between are events. ----

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
      gatefold.events.push({ ...data.event, picture: undefined });
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

function ask(what, of, transfer = []) {
  return new Promise((resolve, reject) => {
    asks.set(++nextId, { resolve, reject });
    worker.postMessage({ id: nextId, what, of }, transfer);
  });
}

// After a panic or without its GPU, a worker is of no more use: a new one begins, with what the page has kept.
async function broke(why) {
  worker.terminate();
  for (const { reject } of asks.values()) reject(new Error(why));
  if (!ready) return;
  ready = false;
  start();
  try {
    await load();
    await reopen();
  } catch (error) {
    fail(error.message);
  }
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

let shown;

async function showCell(name) {
  if (shown === name) return;
  shown = name;
  const cell = CELLS[name];
  at("cell-text").textContent = cell.text;
  at("cell-equations").innerHTML = cell.equations;
  at("gate-equation").innerHTML = cell.gates;
  at("reach-equation").innerHTML = cell.reach;
  const kernel = await (await fetch(`shaders/${cell.kernel}.wgsl`)).text();
  const back = kernel.search(/^(struct \w+Gradients|fn \w+_backward)/m);
  at("cell-kernel").textContent = kernel;
  at("forward-kernel").textContent = kernel.slice(0, back);
  at("backward-kernel").textContent = kernel.slice(back);
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
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const file = event.dataTransfer.files[0];
  if (file?.name.endsWith(".zip")) openZip(file);
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
  for (const id of ["start", "compare"]) at(id).disabled = value;
  for (const id of ["pause", "stop"]) at(id).disabled = !value;
  setPaused(false);
}

function setPaused(value) {
  at("pause").textContent = value ? "Go on" : "Pause";
  at("pause").setAttribute("aria-pressed", value);
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
  data({ train, validation, test, parameters, classes, notes }) {
    at("loss-equation").innerHTML = classes ? LOSS.classes : LOSS.values;
    at("notes").replaceChildren(...notes.map(({ doubtful, text }) => {
      const item = document.createElement("li");
      item.textContent = text;
      item.className = doubtful ? "doubtful" : "";
      return item;
    }));
    showFacts({
      "epoch": `1 of ${epochs}`, "loss": "–", "accuracy": classes ? "–" : null, "steps a second": "–", "device": "–",
      "weights": parameters.toLocaleString("en"),
      "examples to learn from": train.toLocaleString("en"),
      "to choose the best epoch": validation.toLocaleString("en"),
      "to test": test.toLocaleString("en"),
    });
  },
  check: () => say(`${title}: the GPU’s kernels are compiled, and a step is compared with the CPU’s …`),
  device({ name, why }) {
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
      "steps a second": steps_per_second.toFixed(steps_per_second < 10 ? 2 : 0),
    });
    if (picture) at("curves").innerHTML = picture;
  },
  epoch({ metrics }) {
    const accuracy = metrics.validation_accuracy === undefined ? "" : `, ${percent(metrics.validation_accuracy)} right`;
    say(`${title}, epoch ${metrics.epoch} of ${epochs}: validation loss ${metrics.validation_loss.toFixed(4)}${accuracy}.`);
  },
  test: () => say(`${title}: testing …`),
});

// Trains one network; gives what the worker says of it, or nothing if it was stopped before its first epoch's end.
async function train(of, title) {
  facts = {};
  at("curves").replaceChildren();
  at("progress").value = 0;
  at("learning").hidden = false;
  at("learning").scrollIntoView();
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
    say(trained.accuracy === null ? `Done: a loss of ${trained.loss.toFixed(4)} in the test.` : `Done: ${percent(trained.accuracy)} of the test answered rightly.`);
    await show(trained);
  });
});

at("pause").addEventListener("click", () => {
  const paused = at("pause").getAttribute("aria-pressed") !== "true";
  setPaused(paused);
  ask(paused ? "pause" : "resume");
});
at("stop").addEventListener("click", () => ask("stop"));

at("compare").addEventListener("click", () => whileBusy(async () => {
  const of = await request();
  if (!of) return;
  const trained = [];
  try {
    for (const option of form.elements.cell.options) {
      const config = structuredClone(of.config);
      config.model.cell = option.value;
      const run = await train({ ...of, config }, option.text);
      if (!run) return say("Stopped.");
      await ask("reach", { run: run.run });
      trained.push(run.run);
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
let archive = null;

async function show(run) {
  if (current) await ask("forget", { run: current.run });
  current = run;
  keepArchive(null);
  at("explanation").replaceChildren();
  at("answer").textContent = "";
  for (const id of ["result-section", "reach-section"]) at(id).hidden = true;
  showCell(run.cell);
  at("ask-section").hidden = !run.explains;
  if (run.epochs) {
    at("result").innerHTML = await ask("result", { run: run.run });
    at("result-section").hidden = false;
  }
  const reach = await ask("reach", { run: run.run });
  at("reach").innerHTML = reach;
  at("reach-section").hidden = !reach;
  keepArchive(await ask("zip", { run: run.run, folder: folder(run) }));
}

const folder = (run) => `${run.dataset.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "-") || "run"}-${run.cell}`;

// Also what a new worker begins with.
function keepArchive(bytes) {
  const link = at("download");
  if (archive) URL.revokeObjectURL(link.href);
  archive = bytes && new Blob([bytes], { type: "application/zip" });
  link.hidden = !archive;
  if (!archive) return;
  link.href = URL.createObjectURL(archive);
  link.download = `${folder(current)}.zip`;
}

async function reopen() {
  if (!current || !archive) return;
  current = { ...current, ...(await ask("open", { name: current.cell, zip: await archive.arrayBuffer() })) };
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value;
  try {
    const answer = await ask("answer", { run: current.run, text });
    at("answer").textContent = answer.slice(0, 5).map(({ label, probability }) => `${label} ${percent(probability)}`).join(", ");
    at("explanation").innerHTML = await ask("explain", { run: current.run, text });
  } catch (error) {
    at("answer").textContent = error.message;
    at("explanation").replaceChildren();
  }
});

// ---- Runs from elsewhere ----

async function open(of) {
  at("opened").textContent = "";
  try {
    const run = await ask("open", of);
    await show(run);
    at("opened").textContent = `${of.name} is open: ${CELLS[run.cell] ? run.cell : "a network"} of ${run.dataset}. ${run.explains ? "Ask it above." : "It answers no texts with classes, so that it can’t be asked here."}`;
  } catch (error) {
    at("opened").textContent = `${of.name}: ${error.message}`;
  }
}

const openZip = async (file) => open({ name: file.name, zip: await file.arrayBuffer() });

at("open-zip").addEventListener("change", ({ target }) => target.files[0] && openZip(target.files[0]));
at("open-folder").addEventListener("change", async ({ target }) => {
  // Those of the folder itself: checkpoints and curves are not needed.
  const files = [...target.files].filter((file) => file.webkitRelativePath.split("/").length === 2);
  const read = files.map(async (file) => [file.name, await file.arrayBuffer()]);
  await open({ name: files[0]?.webkitRelativePath.split("/")[0] ?? "the folder", files: await Promise.all(read) });
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
