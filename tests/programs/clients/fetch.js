// Node's fetch, which is its own HTTP client (undici). See tests/lib/answers.sh.
const crypto = require('crypto');

const [origin, ...answers] = process.argv.slice(2);

(async () => {
  for (const answer of answers) {
    const [, method, path] = answer.match(/^([A-Z]+)(.*)$/);
    const body = method === 'POST' ? Buffer.alloc(1 << 21, '0123456789abcdef') : undefined;
    const response = await fetch(origin + path, {method, body, signal: AbortSignal.timeout(20000)});
    const data = Buffer.from(await response.arrayBuffer());
    console.log(answer, response.status, response.redirected, JSON.stringify([...response.headers]), data.length,
      crypto.createHash('sha256').update(data).digest('hex'));
  }
})().catch((error) => { console.log(String(error), String(error.cause)); process.exit(1); });
