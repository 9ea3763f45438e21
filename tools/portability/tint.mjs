// Gives every WGSL text of a folder to Chromium, as a module and as a pipeline. The last line says what came of it, as JSON.

import { createServer } from "node:http";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

const folder = process.argv[2];
// WebGPU wants an origin.
const server = createServer((_, response) => response.end("<!doctype html>")).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
});
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
const adapter = await page.evaluate(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const limits = {};
  for (const name in adapter.limits) limits[name] = adapter.limits[name];
  globalThis.device = await adapter.requestDevice({ requiredLimits: limits });
  return { invocations: limits.maxComputeInvocationsPerWorkgroup };
});

const failures = [];
const tooLarge = [];
let pipelines = 0;
for (const name of readdirSync(folder).filter((name) => name.endsWith(".wgsl")).sort()) {
  const code = readFileSync(join(folder, name), "utf8");
  const { messages, refused } = await page.evaluate(async (code) => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    const pipeline = device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    const refused = await pipeline.then(() => null, (error) => error.message);
    const error = await device.popErrorScope();
    return {
      messages: [...messages].map(({ type, lineNum, message }) => `${type} in line ${lineNum}: ${message}`),
      refused: error?.message ?? refused,
    };
  }, code);
  const workgroup = Number(/@workgroup_size\((\d+)/.exec(code)[1]);
  if (messages.length) failures.push(`${name}: ${messages.join("; ")}`);
  else if (refused && workgroup > adapter.invocations) tooLarge.push(name);
  else if (refused) failures.push(`${name}: ${refused}`);
  else pipelines++;
}
console.log(JSON.stringify({ failures, tooLarge, pipelines, version: browser.version(), ...adapter }));
await browser.close();
server.close();
