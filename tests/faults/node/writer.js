"use strict";

// Appends to a team inbox as Claude Code does: under the lock it reads, parses, pushes, and writes in place.
//
//   node writer.js INBOX NAME COUNT RETRIES PAUSE
//
// RETRIES is how often a lock that is taken is tried again; at 0 the message is dropped, as some versions do.
// PAUSE is the milliseconds between two messages. Prints `ready`, waits for a line, and prints what it did as JSON.

const fs = require("node:fs");
const lockfile = require("proper-lockfile");

const [inbox, name, count, retries, pause] = process.argv.slice(2);

async function append(number) {
  const release = await lockfile.lock(inbox, {
    lockfilePath: `${inbox}.lock`,
    retries: { retries: Number(retries), minTimeout: 5, maxTimeout: 100 },
  });
  try {
    const entries = JSON.parse(fs.readFileSync(inbox, "utf8"));
    const index = entries.findIndex((entry) => entry.read === false);
    if (index >= 0) {
      entries[index].read = true; // other fields stay, and so do the fields of all other entries
    }
    entries.push({
      from: name,
      text: `${name}:${number}`,
      timestamp: new Date().toISOString(),
      read: false,
      unknown: { number, half: "\ud83d" },
    });
    fs.writeFileSync(inbox, JSON.stringify(entries, null, 2));
  } finally {
    await release();
  }
}

async function main() {
  console.log("ready");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  const done = { written: 0, dropped: 0 };
  for (let number = 0; number < Number(count); number++) {
    try {
      await append(number);
      done.written++;
    } catch (error) {
      if (error.code !== "ELOCKED") {
        throw error;
      }
      done.dropped++;
    }
    await new Promise((resolve) => setTimeout(resolve, Number(pause)));
  }
  console.log(JSON.stringify(done));
  process.exit(0);
}

main();
