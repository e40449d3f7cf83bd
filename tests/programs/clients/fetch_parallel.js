// Node: 100 fetches at once, of many shapes.
const crypto = require('crypto');

const origin = process.argv[2];
const paths = ['/json', '/chunked', '/until-close', '/gzip', '/redirect?hops=2', '/text?size=100000', '/204', '/echo'];

(async () => {
  const lines = await Promise.all(Array.from({length: 100}, async (_, i) => {
    const path = paths[i % paths.length];
    const url = origin + path + (path.includes('?') ? '&' : '?') + 'i=' + i;
    const options = path === '/echo' ? {method: 'POST', body: Buffer.alloc(100000, String(i))} : {};
    const response = await fetch(url, {...options, signal: AbortSignal.timeout(20000)});
    const data = Buffer.from(await response.arrayBuffer());
    return [i, response.status, response.redirected, data.length,
      crypto.createHash('sha256').update(data).digest('hex')].join(' ');
  }));
  console.log(lines.join('\n'));
})().catch((error) => { console.log(String(error), String(error.cause)); process.exit(1); });
