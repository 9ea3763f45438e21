// Promises of the page, each kept in a real browser. GATEFOLD_PAGE is the built page, GATEFOLD the program, CHROMIUM the
// browser.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { chromium } from "playwright-core";

const { CHROMIUM, GATEFOLD, GATEFOLD_PAGE } = process.env;
const PORT = 8765;
const SITE = `http://127.0.0.1:${PORT}/`;
const TEXT = "The plot is silly, but the actors are wonderful and I loved the ending.";

let server;
let browser;
let context;
let page;
let folder;
// What the browser said or asked of others; a test that expects something takes it out.
let said;

before(async () => {
  server = spawn("python3", ["-m", "http.server", "--bind", "127.0.0.1", "--directory", GATEFOLD_PAGE, PORT], { stdio: "ignore" });
  folder = mkdtempSync(join(tmpdir(), "gatefold-page-"));
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--no-first-run", "--disable-quic",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
  for (let tries = 0; tries < 100; tries++) {
    if (await fetch(SITE).then(() => true, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the page is not served");
});

after(async () => {
  await browser?.close();
  server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  said = [];
  context = await browser.newContext({ acceptDownloads: true });
  await visit("");
});

afterEach(async () => {
  await context.close();
  assert.deepEqual(said, []);
});

async function visit(hash) {
  page = await context.newPage();
  page.setDefaultTimeout(240_000);
  // Chromium's, where a test takes the service worker away.
  page.on("console", (message) => /Service Worker registration blocked/.test(message.text()) || said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  page.on("request", (request) => !/^(blob|data):/.test(request.url()) && !request.url().startsWith(SITE) && said.push(request.url()));
  await page.goto(SITE + hash);
  await page.waitForSelector("#device[data-ready]");
}

// From the next visit on, this runs first in the worker.
async function inWorker(script) {
  await context.close();
  context = await browser.newContext({ acceptDownloads: true, serviceWorkers: "block" });
  await context.route("**/worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}

const text = (selector) => page.textContent(selector);
const log = (kind) => page.evaluate((kind) => gatefold.events.filter((event) => event.kind === kind), kind);
const idle = () => page.waitForFunction(() => !document.querySelector("#start").disabled);

// Trains with what a link says, to the end.
async function train(hash) {
  await page.close();
  await visit(hash);
  await page.click("#start");
  await idle();
  assert.equal(await text("#error"), "");
}

async function download() {
  await page.waitForSelector("#download:not([hidden])");
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  const path = join(folder, file.suggestedFilename());
  await file.saveAs(path);
  return path;
}

function gatefold(...args) {
  return execFileSync(GATEFOLD, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } });
}

// The probability of `positive` that the page and the program answer.
async function asked(input) {
  await page.fill("#text", input);
  await page.click("#ask button");
  await page.waitForFunction(() => document.querySelector("#explanation").textContent);
  const lead = await text("#explanation .lead");
  return Number(/probability of (\d\.\d+)/.exec(lead)[1]);
}

function answered(run, input) {
  const answer = JSON.parse(gatefold("predict", run, "--device", "cpu", "--format", "json", input));
  return answer.probabilities.positive;
}

const close = (one, other, most, what) => assert.ok(Math.abs(one - other) <= most, `${what}: ${one} and ${other}`);

test("the lesson on the CPU comes to what the program comes to, and its run is the program's", async () => {
  await train("#epochs=2&device=cpu");
  gatefold("train", "--dataset", "reviews", "--epochs", "2", "--device", "cpu", "--run", "native");
  const lines = readFileSync(join(folder, "native/metrics.jsonl"), "utf8").trim().split("\n");
  const here = (await log("epoch")).map((event) => event.metrics);
  assert.equal(here.length, 2);
  lines.map((line) => JSON.parse(line)).forEach((native, epoch) => {
    for (const key of ["train_loss", "validation_loss"]) close(here[epoch][key], native[key], 1e-3, `${key} of epoch ${epoch + 1}`);
  });
  const native = JSON.parse(readFileSync(join(folder, "native/summary.json"), "utf8"));

  const archive = await download();
  execFileSync("python3", ["-m", "zipfile", "-e", archive, folder]);
  const run = join(folder, "reviews-lstm");
  const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8"));
  close(summary.test_accuracy, native.test_accuracy, 0.01, "test accuracy");
  assert.match(summary.device, /^CPU \(WebAssembly, simd128\)$/);
  assert.match(gatefold("runs", "reviews-lstm"), /lstm/);
  const tested = JSON.parse(gatefold("evaluate", "reviews-lstm", "--device", "cpu", "--format", "json"));
  close(tested.accuracy, summary.test_accuracy, 1e-3, "the program's test of the page's run");
  close(await asked(TEXT), answered("reviews-lstm", TEXT), 6e-5, "the page's run");

  // And the other way round: a folder, and an archive of it.
  await page.setInputFiles("#open-folder", join(folder, "native"));
  await page.waitForFunction(() => /^native is open/.test(document.querySelector("#opened").textContent));
  close(await asked(TEXT), answered("native", TEXT), 6e-5, "the program's run");
  await page.setInputFiles("#open-zip", archive);
  await page.waitForFunction(() => /^reviews-lstm.zip is open/.test(document.querySelector("#opened").textContent));
  close(await asked(TEXT), answered("reviews-lstm", TEXT), 6e-5, "the opened archive");
});

test("WebGPU computes what the CPU computes", async () => {
  const hash = "#units=16&length=32&batch=1024&epochs=1";
  await train(`${hash}&device=cpu`);
  const [cpu] = await log("epoch");
  await train(`${hash}&device=gpu`);
  const [gpu] = await log("epoch");
  const [device] = await log("device");
  assert.match(device.name, /^GPU \(WebGPU/);
  for (const key of ["train_loss", "validation_loss"]) close(gpu.metrics[key], cpu.metrics[key], 1e-3, key);
});

test("a GPU that the CPU computes is not taken unasked, and a browser without WebGPU says so", async () => {
  await train("#units=8&length=16&batch=1024&epochs=1");
  const [device] = await log("device");
  assert.match(device.name, /^CPU/);
  assert.match(device.why, /the CPU computes/);

  await inWorker(`Object.defineProperty(navigator, "gpu", { value: undefined });`);
  await visit("#units=8&length=16&batch=1024&epochs=1&device=gpu");
  assert.match(await text("#device"), /no GPU \(this browser has no WebGPU here\)/);
  await page.click("#start");
  await idle();
  assert.match(await text("#error"), /WebGPU: this browser has no WebGPU here/);
  await page.selectOption("[name=device]", "auto");
  await page.click("#start");
  await idle();
  assert.equal(await text("#error"), "");
});

test("a kernel that the browser refuses is an error on the page", async () => {
  await inWorker(`
    const create = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function (of) {
      return create.call(this, { ...of, code: of.code.replace("fn lstm_step(", "fn lstm_stop(") });
    };`);
  await visit("#units=8&length=16&batch=1024&epochs=1&device=gpu");
  await page.click("#start");
  await idle();
  assert.match(await text("#error"), /lstm_step/);
  assert.deepEqual(await log("step"), []);
  said = [];
});

test("a GPU that computes something else is not used, and asked for, an error", async () => {
  await inWorker(`
    const info = Object.getOwnPropertyDescriptor(GPUAdapterInfo.prototype, "isFallbackAdapter");
    if (info) Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { value: false });
    const create = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function (of) {
      return create.call(this, { ...of, code: of.code.replace("step.hidden = step.output_gate", "step.hidden = 0.1 + step.output_gate") });
    };`);
  await visit("#units=8&length=16&batch=1024&epochs=1&device=gpu");
  await page.click("#start");
  await idle();
  assert.match(await text("#error"), /does not compute what the CPU does/);
  await page.selectOption("[name=device]", "auto");
  await page.click("#start");
  await idle();
  assert.equal(await text("#error"), "");
  const [device] = await log("device");
  assert.match(device.name, /^CPU/);
  assert.match(device.why, /does not compute what the CPU does/);
});

test("a GPU that is lost is told, and the page goes on", async () => {
  await inWorker(`
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (of) {
      const device = await request.call(this, of);
      new BroadcastChannel("lose").onmessage = () => device.destroy();
      return device;
    };`);
  await visit("#units=8&length=16&batch=64&epochs=5&device=cpu");
  await page.click("#start");
  await idle();
  const before = await asked(TEXT);
  await page.waitForSelector("#download:not([hidden])");
  await page.selectOption("[name=device]", "gpu");
  await page.click("#start");
  await page.waitForFunction(() => gatefold.events.some((event) => event.kind === "step"));
  await page.evaluate(() => new BroadcastChannel("lose").postMessage("now"));
  await idle();
  assert.match(await text("#error"), /lost|destroyed/i);
  said = [];
  // What was trained before is still there, and training goes on.
  assert.equal(await asked(TEXT), before);
  await page.selectOption("[name=device]", "cpu");
  await page.click("#start");
  await idle();
  assert.equal(await text("#error"), "");
});

test("a table of one's own is read as the program reads it, and a damaged one is named", async () => {
  const words = { Billing: "card charged invoice paid", Login: "password account locked reset", Delivery: "parcel late driver box" };
  const rows = Object.entries(words).flatMap(([label, of]) => [...Array(120).keys()].map((row) => `"my ${of.split(" ")[row % 4]} number ${row}, again",${label}`));
  const table = join(folder, "tickets.csv");
  writeFileSync(table, `message,topic\n${rows.join("\n")}\n`);
  await page.selectOption("[name=dataset]", "table");
  await page.click("#start");
  assert.match(await text("#error"), /Choose a table/);
  await page.setInputFiles("#table", table);
  for (const [name, value] of [["units", "16"], ["batch", "16"], ["epochs", "6"], ["rate", "0.01"]]) await page.fill(`[name=${name}]`, value);
  await page.selectOption("[name=device]", "cpu");
  await page.click("#start");
  await idle();
  assert.equal(await text("#error"), "");
  assert.match(await text("#notes"), /tickets\.csv/);
  await page.fill("#text", "my card, charged again");
  await page.click("#ask button");
  await page.waitForFunction(() => document.querySelector("#answer").textContent);
  assert.match(await text("#answer"), /^Billing (9\d|100)\.\d %/);
  const archive = await download();
  execFileSync("python3", ["-m", "zipfile", "-e", archive, folder]);
  const answer = JSON.parse(gatefold("predict", "tickets-lstm", "--format", "json", "my card, charged again"));
  assert.equal(answer.label, "Billing");
  const tested = JSON.parse(gatefold("evaluate", "tickets-lstm", "--data", table, "--format", "json"));
  assert.ok(tested.accuracy > 0.9, `${tested.accuracy}`);

  writeFileSync(table, "message,topic\nfine\n");
  await page.click("#start");
  await idle();
  assert.match(await text("#error"), /tickets\.csv has changed/);
  await page.setInputFiles("#table", table);
  await page.click("#start");
  await idle();
  assert.match(await text("#error"), /^tickets\.csv, line 2: 1 columns/);
});

test("a training can be paused, goes on, and is stopped with what it has", async () => {
  await page.close();
  await visit("#units=16&length=32&batch=64&epochs=1000&device=cpu");
  await page.click("#start");
  await page.waitForFunction(() => gatefold.events.some((event) => event.kind === "epoch"));
  await page.click("#pause");
  await page.waitForTimeout(500);
  const paused = (await log("step")).length;
  await page.waitForTimeout(1000);
  assert.equal((await log("step")).length, paused);
  await page.click("#pause");
  await page.waitForFunction((paused) => gatefold.events.filter((event) => event.kind === "step").length > paused, paused);
  await page.click("#stop");
  await idle();
  assert.equal(await text("#error"), "");
  assert.match(await text("#result .lead"), /% of 5.000 test reviews answered rightly/);
});

test("a training goes on in a tab that nobody looks at", async () => {
  await page.close();
  await visit("#units=16&length=32&batch=64&epochs=1000&device=cpu");
  await page.click("#start");
  const other = await context.newPage();
  await other.bringToFront();
  await page.waitForFunction(() => gatefold.events.filter((event) => event.kind === "epoch").length > 2);
  await page.close();
  await visit("");
  assert.equal(await text("#error"), "");
});

test("memory tasks are trained, and all cells are compared", async () => {
  await page.close();
  await visit("#dataset=recall&length=5&epochs=1&device=cpu");
  await page.click("#compare");
  await idle();
  assert.equal(await text("#error"), "");
  const comparison = await text("#comparison");
  for (const cell of ["rnn", "lstm", "gru", "mingru"]) assert.match(comparison, new RegExp(`\\b${cell}\\d`));
  await page.selectOption("[name=dataset]", "adding");
  await page.fill("[name=length]", "5");
  await page.fill("[name=epochs]", "1");
  await page.click("#start");
  await idle();
  assert.equal(await text("#error"), "");
  assert.match(await text("#result .lead"), /squared error/);
});

test("a link holds the settings, and says what it can't set", async () => {
  await page.selectOption("[name=cell]", "gru");
  await page.fill("[name=units]", "20");
  await page.uncheck("[name=mask]");
  const said = new URLSearchParams(new URL(page.url()).hash.slice(1));
  assert.deepEqual(Object.fromEntries(said), { cell: "gru", units: "20", mask: "0" });
  await page.close();
  await visit("#cell=gru&units=20&mask=0&epochs=nine&color=red");
  assert.equal(await page.inputValue("[name=cell]"), "gru");
  assert.equal(await page.inputValue("[name=units]"), "20");
  assert.equal(await page.isChecked("[name=mask]"), false);
  assert.equal(await page.inputValue("[name=epochs]"), "5");
  assert.match(await text("#error"), /left out: color, epochs/);
});

test("the page works without a network once it was loaded, and by keyboard", async () => {
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  await context.setOffline(true);
  await page.goto(`${SITE}#units=8&length=16&batch=1024&epochs=1&device=cpu`);
  await page.reload();
  await page.waitForSelector("#device[data-ready]");
  await page.focus("#start");
  await page.keyboard.press("Enter");
  await idle();
  assert.equal(await text("#error"), "");
  await page.waitForSelector("#download:not([hidden])");
  await page.focus("#text");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.querySelector("#answer").textContent);
});

test("the page fits a narrow screen, and every field has a name", async () => {
  await train("#units=8&length=16&batch=1024&epochs=1&device=cpu");
  await asked(TEXT);
  await page.setViewportSize({ width: 360, height: 740 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width}`);
  const nameless = await page.evaluate(() => {
    const named = (field) => field.labels?.length || field.textContent.trim() || field.getAttribute("aria-label");
    return [...document.querySelectorAll("input, select, textarea, button, progress")].filter((field) => !named(field)).map((field) => field.outerHTML);
  });
  assert.deepEqual(nameless, []);
});

test("memory stays where it is after twenty runs", async () => {
  await page.close();
  await visit("#units=8&length=16&batch=1024&epochs=1&device=cpu");
  const memory = async () => {
    await page.click("#start");
    await idle();
    await page.waitForSelector("#download:not([hidden])");
    return page.evaluate(() => gatefold.ask("memory"));
  };
  const sizes = [];
  for (let run = 0; run < 20; run++) sizes.push(await memory());
  // When a run reports decides where its pieces lie, so that the last block of 4 MiB may be added late. Runs that each
  // left something behind would add several.
  assert.ok(sizes[19] - sizes[2] < 8 << 20, `${sizes}`);
});
