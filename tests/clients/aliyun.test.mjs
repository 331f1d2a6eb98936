// Both unmodified SDKs for Node against the Alibaba door: pop-core by GET and by form, the typed one by ACS3 and by V1.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const environment = (name) => {
  assert.ok(process.env[name], `${name} is not set: start the judges through tests/clients/run`);
  return process.env[name].replace(/\/$/, '');
};
// The SDKs are installed outside of the source tree; OTARU_CLIENTS names the folder.
const require = createRequire(`${environment('OTARU_CLIENTS')}/package.json`);
const PopCore = require('@alicloud/pop-core');
const Typed = require('@alicloud/iot20180120');
const { Config } = require('@alicloud/openapi-client');

const accessKeyId = environment('OTARU_AK');
const accessKeySecret = environment('OTARU_SK');
const doors = [environment('OTARU_HTTP')];
if (process.env.OTARU_HTTPS) doors.push(environment('OTARU_HTTPS'));

const fresh = (prefix) => prefix + randomBytes(5).toString('hex');
const NOWHERE = 'UfuxnwygsuSkVE0VCN00000100';

// The account allows ten queries per second of most operations; the judges stay below, as a program in production does.
const calls = new Map();
async function keepPace(action) {
  const recent = (calls.get(action) ?? []).filter((time) => time > Date.now() - 1200);
  if (recent.length >= (action === 'ModifyOTAFirmware' ? 4 : 9)) {
    await new Promise((resolve) => setTimeout(resolve, recent[0] + 1200 - Date.now()));
  }
  calls.set(action, [...recent, Date.now()].slice(-9));
}

function popCore(method, door, secret = accessKeySecret, key = accessKeyId) {
  const endpoint = door;
  const client = new PopCore({ accessKeyId: key, accessKeySecret: secret, endpoint, apiVersion: '2018-01-20' });
  return async (action, parameters = {}) => {
    await keepPace(action);
    return client.request(action, parameters, { method });
  };
}

// The typed SDK spells members in lower camel case and gives its answers as objects with a map of the wire names.
function typed(signatureAlgorithm, door, secret = accessKeySecret, key = accessKeyId) {
  const [protocol, endpoint] = door.split('://');
  const config = new Config({ accessKeyId: key, accessKeySecret: secret, endpoint, protocol });
  if (signatureAlgorithm) config.signatureAlgorithm = signatureAlgorithm;
  const client = new Typed.default(config);
  return async (action, parameters = {}) => {
    await keepPace(action);
    const Request = Typed[`${action}Request`];
    const fields = {};
    for (const [field, name] of Object.entries(Request.names())) {
      if (parameters[name] !== undefined) fields[field] = parameters[name];
    }
    if (fields.multiFiles) {
      const File = Typed.CreateOTAFirmwareRequestMultiFiles;
      fields.multiFiles = fields.multiFiles.map(({ Name, Url }) => new File({ name: Name, url: Url }));
    }
    const method = action[0].toLowerCase() + action.slice(1);
    const response = await client[method](new Request(fields));
    return response.body.toMap();
  };
}

const clients = {
  'pop-core by GET': (...at) => popCore('GET', ...at),
  'pop-core by form': (...at) => popCore('POST', ...at),
  'typed by ACS3': (...at) => typed(undefined, ...at),
  'typed by V1': (...at) => typed('v2', ...at),
};

async function upload(call, content, suffix = 'bin') {
  const { Data: place } = await call('GenerateOTAUploadURL', { FileSuffix: suffix });
  const form = new FormData();
  form.append('key', place.Key);
  form.append('OSSAccessKeyId', place.OSSAccessKeyId);
  form.append('policy', place.Policy);
  form.append('Signature', place.Signature);
  form.append('file', new Blob([content]), `upgrade.${suffix}`);
  const answer = await fetch(place.Host, { method: 'POST', body: form });
  assert.equal(answer.status, 204, await answer.text());
  return place.FirmwareUrl;
}

async function download(link) {
  const answer = await fetch(link);
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.arrayBuffer());
}

const md5 = (content) => createHash('md5').update(content).digest('hex');

// A gateway failure: pop-core and the typed SDK both throw an error that carries the code.
const refusedWith = (code) => (error) => {
  assert.equal(error.code, code);
  return true;
};

// A business failure: pop-core throws here as well, the typed SDK gives the answer.
async function failure(call, action, parameters) {
  try {
    const answer = await call(action, parameters);
    assert.equal(answer.Success, false);
    return answer.Code;
  } catch (error) {
    assert.equal(error.data?.Success, false, String(error));
    return error.code;
  }
}

for (const door of doors) {
  for (const [name, client] of Object.entries(clients)) {
    const call = client(door);
    const title = (text) => `${text}: ${name} over ${door.split(':')[0]}`;

    test(title('a package from the upload to its end'), async () => {
      const { ProductKey } = await call('CreateProduct', { ProductName: fresh('meter'), NodeType: 0, DataFormat: 1 });
      const content = randomBytes(40_000);
      const wanted = {
        FirmwareName: fresh('固件'),
        DestVersion: fresh('2.0.0-'),
        ProductKey,
        FirmwareDesc: "desc with space + plus & amp = 中文 !*'()~",
        ModuleName: 'default',
        Udi: '{"a":"b c"}',
        Type: 0,
      };
      const FirmwareUrl = await upload(call, content, 'tar.gz');
      const created = await call('CreateOTAFirmware', { ...wanted, FirmwareUrl, NeedToVerify: false });
      assert.equal(created.Success, true);
      const { FirmwareId } = created.Data;

      const { FirmwareInfo: info } = await call('QueryOTAFirmware', { FirmwareId });
      for (const [member, value] of Object.entries(wanted)) assert.deepEqual(info[member], value, member);
      assert.deepEqual(
        [info.FirmwareSize, info.FirmwareSign, info.SignMethod, info.Status, info.VerifyProgress],
        [content.length, md5(content), 'MD5', -1, 0],
      );
      assert.deepEqual(await download(info.FirmwareUrl), content);

      const listed = await call('ListOTAFirmware', { CurrentPage: 1, PageSize: 10, ProductKey });
      assert.deepEqual([listed.Total, listed.PageCount, listed.CurrentPage, listed.PageSize], [1, 1, 1, 10]);
      assert.deepEqual(listed.FirmwareInfo.SimpleFirmwareInfo.map((entry) => entry.FirmwareId), [FirmwareId]);

      // The typed SDK for Node has no ModifyOTAFirmware.
      if (name.startsWith('pop-core')) {
        const FirmwareName = fresh('renamed');
        await call('ModifyOTAFirmware', { FirmwareId, ProductKey, FirmwareName, FirmwareUdi: 'new' });
        const { FirmwareInfo: changed } = await call('QueryOTAFirmware', { FirmwareId });
        assert.deepEqual([changed.FirmwareName, changed.Udi], [FirmwareName, 'new']);
      }

      assert.equal((await call('DeleteOTAFirmware', { FirmwareId })).Success, true);
      assert.equal(await failure(call, 'QueryOTAFirmware', { FirmwareId }), 'iot.ota.FirmwareNotFound');
      assert.equal((await call('DeleteProduct', { ProductKey })).Success, true);
    });

    test(title('several files and a module of its own'), async () => {
      const { ProductKey } = await call('CreateProduct', { ProductName: fresh('meter'), NodeType: 0, DataFormat: 1 });
      const ModuleName = fresh('mcu');
      await call('CreateOTAModule', { ProductKey, ModuleName, AliasName: '电机', Desc: 'the motor' });
      const { Data: modules } = await call('ListOTAModuleByProduct', { ProductKey });
      assert.deepEqual(modules.map((module) => module.ModuleName).sort(), ['default', ModuleName]);
      assert.deepEqual(modules.find((module) => module.ModuleName === ModuleName).AliasName, '电机');

      const contents = [randomBytes(1000), randomBytes(2000)];
      const MultiFiles = [];
      for (const [index, content] of contents.entries()) {
        MultiFiles.push({ Name: `file${index}`, Url: await upload(call, content) });
      }
      const firmware = { FirmwareName: fresh('fw'), DestVersion: fresh('v'), ProductKey, ModuleName, MultiFiles };
      const { FirmwareId } = (await call('CreateOTAFirmware', firmware)).Data;
      const { FirmwareInfo: info } = await call('QueryOTAFirmware', { FirmwareId });
      assert.deepEqual([info.ModuleName, info.FirmwareUrl], [ModuleName, undefined]);
      assert.deepEqual(
        info.MultiFiles.map((file) => [file.Name, file.Size, file.FileMd5, file.SignValue]),
        contents.map((content, index) => [`file${index}`, content.length, md5(content), md5(content)]),
      );
      for (const [index, file] of info.MultiFiles.entries()) {
        assert.deepEqual(await download(file.Url), contents[index]);
      }

      await call('DeleteOTAFirmware', { FirmwareId });
      await call('UpdateOTAModule', { ProductKey, ModuleName, AliasName: 'other' });
      await call('DeleteOTAModule', { ProductKey, ModuleName });
      const left = await call('ListOTAModuleByProduct', { ProductKey });
      assert.deepEqual(left.Data.map((module) => module.ModuleName), ['default']);
    });

    test(title('refusals'), async () => {
      assert.equal(await failure(call, 'QueryOTAFirmware', { FirmwareId: NOWHERE }), 'iot.ota.FirmwareNotFound');
      const page = { CurrentPage: 0, PageSize: 10 };
      assert.equal(await failure(call, 'ListOTAFirmware', page), 'iot.common.InvalidPageParams');
      await assert.rejects(call('QueryOTAFirmware'), refusedWith('MissingFirmwareId'));
      await assert.rejects(client(door, 'wrong')('QueryOTAFirmware'), refusedWith('SignatureDoesNotMatch'));
      const unknown = client(door, accessKeySecret, 'NOBODY');
      await assert.rejects(unknown('QueryOTAFirmware'), refusedWith('InvalidAccessKeyId.NotFound'));
    });
  }

  test(`an operation that does not exist, over ${door.split(':')[0]}`, async () => {
    for (const method of ['GET', 'POST']) {
      await assert.rejects(popCore(method, door)('NoSuchOperation'), refusedWith('InvalidAction.NotFound'));
    }
  });
}
