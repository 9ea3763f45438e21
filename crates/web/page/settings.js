// The form, the settings of a run as its config.toml has them, and the link to them.

// What a dataset is best begun with; the rest is as the lesson has it.
const LESSON = { cell: "lstm", units: 64, layers: 1, both: false, length: 256, mask: true, rate: 0.001, epochs: 5, batch: 128, seed: 42, device: "auto" };
const TASK = { ...LESSON, units: 32, length: 30, rate: 0.005, epochs: 4, batch: 32 };
const PRESETS = { reviews: LESSON, table: LESSON, adding: TASK, recall: TASK };

export const ABOUT = {
  reviews: "Short film reviews, made by a generator that is always the same: many words say nothing, some turn the next one round.",
  adding: "A sequence of numbers of which two are marked; the answer is their sum. The longer the sequence, the longer the first has to be remembered.",
  recall: "A symbol, then distractors; the answer is the symbol. Nothing but memory helps.",
  table: "",
};

const fields = (form) => [...form.elements].filter((field) => field.name);
const read = (field) => (field.type === "checkbox" ? field.checked : field.type === "number" ? field.valueAsNumber : field.value);
const write = (field, value) => (field.type === "checkbox" ? (field.checked = value) : (field.value = value));

// Sets what a dataset is best begun with.
export function preset(form, dataset) {
  for (const field of fields(form)) write(field, { ...PRESETS[dataset], dataset }[field.name]);
}

// Sets what a link says. What it says wrongly is left as it is, and named.
export function fromHash(form, hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const dataset = Object.hasOwn(PRESETS, given.get("dataset")) ? given.get("dataset") : "reviews";
  preset(form, dataset);
  const known = new Set(fields(form).map((field) => field.name));
  const wrong = [...given.keys()].filter((name) => !known.has(name));
  if (given.has("dataset") && given.get("dataset") !== dataset) wrong.push("dataset");
  for (const field of fields(form)) {
    if (field.name === "dataset" || !given.has(field.name)) continue;
    const [before, text] = [read(field), given.get(field.name)];
    const [isCheck, isNumber] = [field.type === "checkbox", field.type === "number"];
    const isMeant = isCheck ? /^[01]$/.test(text) : !isNumber || /^[\d.e+-]+$/.test(text) && Number.isFinite(Number(text));
    if (isMeant) write(field, isCheck ? text === "1" : text);
    if (!isMeant || !isCheck && (field.value !== text || !field.checkValidity())) {
      write(field, before);
      wrong.push(field.name);
    }
  }
  return wrong;
}

// What differs from the dataset's own beginning.
export function toHash(form) {
  const dataset = form.elements.dataset.value;
  const hash = new URLSearchParams(dataset === "reviews" ? {} : { dataset });
  for (const field of fields(form)) {
    const value = read(field);
    if (field.name !== "dataset" && value !== PRESETS[dataset][field.name]) hash.set(field.name, field.type === "checkbox" ? Number(value) : value);
  }
  return hash.size ? `#${hash}` : "";
}

// The sections and keys of config.toml, and the device.
export function settings(form, tableName) {
  const of = Object.fromEntries(fields(form).map((field) => [field.name, read(field)]));
  const isTask = of.dataset === "adding" || of.dataset === "recall";
  return {
    device: of.device,
    config: {
      dataset: { name: of.dataset === "table" ? tableName : of.dataset, ...(isTask && { length: of.length }) },
      input: { max_length: of.length, mask: of.mask, ...(of.dataset === "adding" && { scale: false }) },
      model: { cell: of.cell, hidden_size: of.units, layers: of.layers, bidirectional: of.both, ...(isTask && { dense_size: 0 }) },
      training: {
        seed: of.seed, epochs: of.epochs, batch_size: of.batch, learning_rate: of.rate,
        // A simple RNN comes close only with small steps at the end.
        ...(isTask && { schedule: "cosine" }),
      },
    },
  };
}
