// The page's training step and pass forward beside TensorFlow.js, which is given the same network, batch and browser.
// GATEFOLD_PAGE is the built page, CHROMIUM the browser.

import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const { CHROMIUM, GATEFOLD_PAGE } = process.env;
const SITE = "http://127.0.0.1:8766/";
const [BATCH, TIME] = [16, 64];
const ROUNDS = 3;
const MODULES = "node_modules/@tensorflow";

const folder = mkdtempSync(join(tmpdir(), "gatefold-peers-"));
cpSync(GATEFOLD_PAGE, folder, { recursive: true });
for (const file of ["tfjs/dist/tf.min.js", "tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js", "tfjs-backend-wasm/dist"]) {
  cpSync(join(MODULES, file), join(folder, "tf", file), { recursive: true });
}
const server = spawn("python3", ["-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, "8766"], { stdio: "ignore" });
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--no-first-run", "--disable-quic", "--disable-background-networking"],
});

// Runs in a page of its own.
async function gatefold({ batch, time, cell, device, steps }) {
  const of = {
    config: {
      dataset: { name: "reviews" },
      input: { max_length: time, mask: false },
      model: { cell },
      training: { batch_size: batch },
    },
    device,
    steps: steps + 1,
  };
  const times = await globalThis.gatefold.ask("time", of);
  return { train: times.slice(1, steps + 1), forward: times.slice(steps + 2) };
}

async function tensorflow({ batch, time, cell, backend, steps }) {
  tf.wasm?.setWasmPaths("tfjs-backend-wasm/dist/");
  await tf.setBackend(backend);
  await tf.ready();
  if (tf.getBackend() !== backend) throw new Error(`the backend is ${tf.getBackend()}`);
  const model = tf.sequential();
  model.add(tf.layers.embedding({ inputDim: 10000, outputDim: 16, inputLength: time }));
  model.add(cell === "lstm" ? tf.layers.lstm({ units: 64, recurrentActivation: "sigmoid" }) : tf.layers.gru({ units: 64, recurrentActivation: "sigmoid" }));
  model.add(tf.layers.dense({ units: 64, activation: "relu" }));
  model.add(tf.layers.dense({ units: 1, activation: "sigmoid" }));
  model.compile({ optimizer: tf.train.adam(1e-3), loss: "binaryCrossentropy" });
  const x = tf.randomUniform([batch, time], 0, 10000, "int32").toFloat();
  const y = tf.randomUniform([batch, 1], 0, 2, "int32").toFloat();
  const times = { train: [], forward: [] };
  const timed = async (into, work) => {
    const start = performance.now();
    await work();
    into.push(performance.now() - start);
  };
  try {
    for (let step = 0; step <= steps; step++) await timed(times.train, () => model.trainOnBatch(x, y));
  } catch (error) {
    times.error = error.message;
  }
  for (let step = 0; step <= steps; step++) {
    await timed(times.forward, async () => {
      const answers = model.predict(x);
      await answers.data();
      answers.dispose();
    });
  }
  return { ...times, train: times.train.slice(1), forward: times.forward.slice(1) };
}

async function measure(side, of) {
  const page = await browser.newPage();
  try {
    if (side === "gatefold") {
      await page.goto(SITE);
      await page.waitForSelector("#device[data-ready]");
      return await page.evaluate(gatefold, of);
    }
    await page.route(`${SITE}tf/`, (route) => route.fulfill({
      contentType: "text/html",
      body: `<!doctype html>${["tfjs/dist/tf.min.js", "tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js", "tfjs-backend-wasm/dist/tf-backend-wasm.min.js"].map((file) => `<script src="${file}"></script>`).join("")}`,
    }));
    await page.goto(`${SITE}tf/`);
    return await page.evaluate(tensorflow, of);
  } finally {
    await page.close();
  }
}

const SIDES = [
  ["Gatefold, CPU", "gatefold", { device: "cpu", steps: 40 }],
  ["TensorFlow.js, cpu", "tensorflow", { backend: "cpu", steps: 1 }],
  ["TensorFlow.js, wasm", "tensorflow", { backend: "wasm", steps: 3 }],
  ["Gatefold, WebGPU", "gatefold", { device: "gpu", steps: 3 }],
  ["TensorFlow.js, webgpu", "tensorflow", { backend: "webgpu", steps: 3 }],
];
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const shown = (values) => (values.length ? `${median(values).toPrecision(3)} ms` : "–");

while (!(await fetch(SITE).then(() => true, () => false))) await new Promise((resolve) => setTimeout(resolve, 100));
for (const cell of ["lstm", "gru"]) {
  const all = SIDES.map(() => ({ train: [], forward: [] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [place, [name, side, of]] of SIDES.entries()) {
      const found = await measure(side, { ...of, cell, batch: BATCH, time: TIME });
      all[place].train.push(...found.train);
      all[place].forward.push(...found.forward);
      if (found.error && round === 0) console.error(`${name} can't train: ${found.error.split("\n")[0].slice(0, 100)}`);
    }
  }
  console.log(`\n${cell}, batch ${BATCH} x ${TIME}, medians\n\n| | training step | forward |\n| --- | --- | --- |`);
  SIDES.forEach(([name], place) => console.log(`| ${name} | ${shown(all[place].train)} | ${shown(all[place].forward)} |`));
}
await browser.close();
server.kill();
rmSync(folder, { recursive: true });
