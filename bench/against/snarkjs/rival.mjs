// Proves, with snarkjs' Groth16 and zk-email's circuits, that an RSA-2048 signature over a message of up to 1,024
// bytes is valid. Circuit and key are made on first use and kept beside this file.
//
// When ready it prints one JSON line of facts; then, for each line read from standard input, it proves once from a
// witness that is already computed and prints one JSON line of what that took. It ends when standard input does.
import { spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { groth16, r1cs, wtns, zKey } from "snarkjs";

const BYTES = 1024;
const LIMB = 121n;
const LIMBS = 17;
// How often a proof is verified for the facts, after a first time.
const VERIFICATIONS = 20;

const requests = createInterface({ input: process.stdin });
let compiling;
requests.once("close", () => {
  compiling?.kill();
  process.exit(0);
});

const seconds = () => {
  const { user, system } = process.cpuUsage();
  return { cpu: (user + system) / 1e6, wall: performance.now() / 1e3 };
};

async function measure(work) {
  const before = seconds();
  const result = await work();
  const after = seconds();
  return [{ wall: after.wall - before.wall, cpu: after.cpu - before.cpu }, result];
}

async function makeOnce(file, make) {
  if (existsSync(file)) return;
  await make(`${file}.part`);
  renameSync(`${file}.part`, file);
}

function limbs(bytes) {
  const number = BigInt(`0x${bytes.toString("hex")}`);
  return Array.from({ length: LIMBS }, (_, i) => ((number >> (LIMB * BigInt(i))) % (1n << LIMB)).toString());
}

function input() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const message = Buffer.alloc(BYTES - 9 - 55, "a");
  const padded = Buffer.alloc(BYTES);
  message.copy(padded);
  padded[message.length] = 0x80;
  const length = Math.ceil((message.length + 9) / 64) * 64;
  padded.writeBigUInt64BE(BigInt(message.length * 8), length - 8);
  return {
    padded: [...padded].map(String),
    length: String(length),
    modulus: limbs(Buffer.from(publicKey.export({ format: "jwk" }).n, "base64url")),
    signature: limbs(sign("sha256", message, privateKey)),
  };
}

async function compile(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const to = ["--r1cs", "--wasm", "--O1", "-l", "node_modules", "-o", folder];
  const program = ["node_modules/circom2/cli.js", "signed.circom", ...to];
  compiling = spawn(process.execPath, program, { stdio: "ignore" });
  const status = await new Promise((ended) => compiling.once("close", ended));
  if (status !== 0) throw new Error(`circom ended with ${status}`);
}

await makeOnce("circuit", compile);
await makeOnce("signed.zkey", (file) => zKey.newZKey("circuit/signed.r1cs", "phase1.ptau", file));
const { nConstraints } = await r1cs.info("circuit/signed.r1cs");
const key = await zKey.exportVerificationKey("signed.zkey");
await wtns.calculate(input(), "circuit/signed_js/signed.wasm", "signed.wtns");

const prove = () => groth16.prove("signed.zkey", "signed.wtns");
const { proof, publicSignals } = await prove();
const verify = () => groth16.verify(key, publicSignals, proof);
if (!(await verify())) throw new Error("snarkjs refuses its own proof");
const verified = [];
for (let i = 0; i < VERIFICATIONS; i++) verified.push((await measure(verify))[0].wall);
const proof_bytes = Buffer.byteLength(JSON.stringify(proof));
console.log(JSON.stringify({ constraints: nConstraints, verify: verified, proof_bytes }));
for await (const _ of requests) {
  console.log(JSON.stringify((await measure(prove))[0]));
}
process.exit(0);
