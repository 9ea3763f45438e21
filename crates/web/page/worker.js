// Owns the device and the training; the page asks, and hears.

import init, { Comparison, Experiment, Processor, RunFiles, TrainedRun, take_fault } from "./gatefold_web.js";

globalThis.gatefoldPanicked = (text) => postMessage({ broken: text });

const runs = new Map();
// Runs' numbers are no other worker's, whose runs the page may still name.
let last = Math.round(performance.timeOrigin);
let memory;
let cpu;
let gpu = { reason: "not asked yet" };

// What the page asks to happen to a training under way.
const control = { stopped: false, resume: null, resumed: null };

// A turn of the event loop, in which messages are heard; timers would be slowed down.
const channel = new MessageChannel();
const turns = [];
channel.port1.onmessage = () => turns.shift()();
const turn = () => new Promise((done) => {
  turns.push(done);
  channel.port2.postMessage(null);
});

function nameOf({ info }) {
  const known = [info?.description, [info?.vendor, info?.architecture].filter(Boolean).join(" ")];
  return known.find(Boolean) ?? "";
}

function keep(run) {
  runs.set(++last, run);
  return { run: last, ...JSON.parse(run.describe()) };
}

// What went wrong on the GPU, which a browser says later; after a second, nothing did.
async function fault() {
  for (let tries = 0; tries < 50; tries++) {
    const found = take_fault();
    if (found) return found;
    await new Promise((resume) => setTimeout(resume, 20));
  }
  return undefined;
}

// The device to train on, and why it.
async function choose(asked, experiment) {
  if (asked === "cpu") return { on: cpu, why: "" };
  if (!gpu.processor) {
    if (asked === "gpu") throw new Error(`WebGPU: ${gpu.reason}`);
    return { on: cpu, why: gpu.reason };
  }
  if (asked === "auto" && gpu.isFallback) return { on: cpu, why: "the CPU computes this browser’s GPU" };
  postMessage({ event: { kind: "check" } });
  let times;
  try {
    times = await experiment.check(gpu.processor);
  } catch (error) {
    if (asked === "gpu") throw error;
    gpu = { reason: (await fault()) ?? error.message };
    return { on: cpu, why: gpu.reason };
  }
  const { gpu_milliseconds, cpu_milliseconds } = times;
  const shown = `${gpu_milliseconds.toFixed(0)} ms a step on the GPU, ${cpu_milliseconds.toFixed(0)} on the CPU`;
  const faster = gpu_milliseconds <= cpu_milliseconds ? gpu.processor : cpu;
  return { on: asked === "gpu" ? gpu.processor : faster, why: asked === "gpu" ? "" : shown };
}

const asked = {
  async load() {
    memory = (await init()).memory;
    cpu = Processor.cpu();
    try {
      const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
      if (!navigator.gpu) gpu = { reason: "this browser has no WebGPU here" };
      else if (!adapter) gpu = { reason: "the browser gives no GPU" };
      else gpu = { processor: await Processor.gpu(nameOf(adapter)), isFallback: adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false };
    } catch (error) {
      gpu = { reason: error.message };
    }
    return { cpu: cpu.name, gpu: gpu.processor?.name, reason: gpu.reason, isFallback: gpu.isFallback };
  },

  async train({ config, device, table, turn: every }) {
    asked.resume();
    control.stopped = false;
    take_fault();
    const experiment = new Experiment(JSON.stringify(config), table && new Uint8Array(table));
    let on;
    try {
      postMessage({ event: { kind: "data", ...JSON.parse(experiment.describe()) } });
      const chosen = await choose(device, experiment);
      on = chosen.on;
      postMessage({ event: { kind: "device", name: on.name, why: chosen.why } });
      const run = await experiment.train(on, async (json) => {
        postMessage({ event: JSON.parse(json) });
        await turn();
        await control.resumed;
        return !control.stopped;
      }, every);
      return run && keep(run);
    } catch (error) {
      // A GPU that failed is of no more use to this worker.
      const why = on?.is_gpu === false ? undefined : await fault();
      if (why) postMessage({ broken: `The GPU failed: ${why}` });
      throw error;
    } finally {
      experiment.free();
    }
  },

  async time({ config, device, steps }) {
    const experiment = new Experiment(JSON.stringify(config));
    try {
      return await experiment.time(device === "gpu" ? gpu.processor : cpu, steps);
    } finally {
      experiment.free();
    }
  },

  pause() {
    control.resumed ??= new Promise((resume) => (control.resume = resume));
  },

  resume() {
    control.resume?.();
    Object.assign(control, { resume: null, resumed: null });
  },

  stop() {
    control.stopped = true;
    asked.resume();
  },

  result: ({ run }) => runs.get(run).result(),
  reach: ({ run }) => runs.get(run).reach(),
  answer: ({ run, text }) => JSON.parse(runs.get(run).answer(text)),
  explain: ({ run, text }) => runs.get(run).explain(text),
  zip: ({ run, folder }) => runs.get(run).zip(folder),

  open({ name, zip, files }) {
    const of = zip ? RunFiles.unzip(new Uint8Array(zip)) : new RunFiles();
    try {
      for (const [file, bytes] of files ?? []) of.add(file, new Uint8Array(bytes));
      return keep(TrainedRun.open(name, of));
    } finally {
      of.free();
    }
  },

  compare({ of }) {
    const comparison = new Comparison();
    try {
      for (const run of of) comparison.add(runs.get(run));
      return comparison.show();
    } finally {
      comparison.free();
    }
  },

  memory: () => memory.buffer.byteLength,

  forget({ run }) {
    runs.get(run)?.free();
    runs.delete(run);
  },
};

onmessage = async ({ data: { id, what, of } }) => {
  try {
    postMessage({ id, result: await asked[what](of) });
  } catch (error) {
    const why = error.message ?? String(error);
    // After a trap, as where memory ran out, nothing here can be called any more.
    postMessage(error instanceof WebAssembly.RuntimeError || error instanceof RangeError ? { broken: `The computation broke down (${why}), perhaps for want of memory.` } : { id, error: why });
  }
};
