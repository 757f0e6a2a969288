// Runs statements with Google's client for Node: node table.mjs URL PROJECT.
// Input and output are those of table.py.
import readline from 'node:readline';
import {BigQuery} from '@google-cloud/bigquery';

const [apiEndpoint, projectId] = process.argv.slice(2);
const nobody = {
  getRequestHeaders: async () => ({}),
  authorizeRequest: async options => options,
  getProjectId: async () => projectId,
};
const client = new BigQuery({apiEndpoint, projectId, authClient: nobody, autoRetry: false});

const trimmed = text => text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');

function show(v) {
  switch (v?.constructor?.name) {
    case 'BigQueryInt': return v.value;
    case 'BigQueryTimestamp': return trimmed(v.value.replace('T', ' ').replace('Z', '')) + ' UTC';
    case 'BigQueryDatetime':
    case 'BigQueryTime': return trimmed(v.value.replace('T', ' '));
    case 'BigQueryDate': return v.value;
    case 'Big': return v.toFixed();
    case 'Buffer': return `b"${v.toString('hex')}"`;
    case 'Number': return Number.isFinite(v) ? v : String(v);
    case 'Array': return v.map(show);
    case 'Object': return Object.values(v).map(show);
  }
  return v;
}

for await (const line of readline.createInterface({input: process.stdin})) {
  let answer;
  try {
    const [rows] = await client.query({query: JSON.parse(line).sql, wrapIntegers: true});
    answer = {row: rows.length ? Object.values(rows[0]).map(show) : null};
  } catch (fault) {
    answer = {error: fault.message};
  }
  console.log(JSON.stringify(answer));
}
