// As outcomes.py, for Node; whom it trusts is chosen by NODE_EXTRA_CA_CERTS. It cannot ask for CRLs of such authorities.
const fs = require('fs');
const https = require('https');
const tls = require('tls');

function ask([name, policy, host, port]) {
  return new Promise(resolve => {
    const options = {
      host: '127.0.0.1', port, path: `/${name}/${policy}`, agent: false, timeout: 20000,
      servername: /^[0-9.]+$/.test(host) ? '' : host, headers: {Host: `${host}:${port}`},
      checkServerIdentity: (_, certificate) => policy === 'names' ? undefined : tls.checkServerIdentity(host, certificate),
    };
    if (policy === 'lax') options.rejectUnauthorized = false;
    const request = https.get(options, response => {
      let body = '';
      response.on('data', data => body += data);
      response.on('end', () => resolve(`${response.statusCode} ${body.split('\n')[0]}`));
    });
    request.on('error', error => resolve(`${error.name} ${error.code} ${error.message.trim()}`));
  });
}

(async () => {
  for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const task = line.split(' ');
    console.log(task[0], task[1], await ask(task));
  }
})();
