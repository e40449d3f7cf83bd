// Node's http: first all answers one after the other through an agent that keeps its connection, then GETs all at
// once. See tests/lib/answers.sh.
const http = require('http');
const crypto = require('crypto');

const [origin, ...answers] = process.argv.slice(2);

function ask(answer, agent) {
  const [, method, path] = answer.match(/^([A-Z]+)(.*)$/);
  return new Promise((resolve, reject) => {
    const request = http.request(origin + path, {method, agent, timeout: 20000}, (response) => {
      const hash = crypto.createHash('sha256');
      let length = 0;
      response.on('data', (piece) => { hash.update(piece); length += piece.length; });
      response.on('error', reject);
      response.on('end', () => resolve(
        [answer, request.reusedSocket, response.httpVersion, response.statusCode, JSON.stringify(response.rawHeaders),
          length, hash.digest('hex')].join(' ')));
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.end(method === 'POST' ? Buffer.alloc(1 << 21, '0123456789abcdef') : undefined);
  });
}

(async () => {
  const agent = new http.Agent({keepAlive: true, maxSockets: 1});
  for (const answer of answers) console.log(await ask(answer, agent));
  agent.destroy();
  // Equal requests would race for their turns, so each is asked once.
  const once = [...new Set(answers)].filter((answer) => answer.startsWith('GET'));
  for (const line of await Promise.all(once.map((answer) => ask(answer, false)))) console.log(line);
})().catch((error) => { console.log(String(error)); process.exit(1); });
