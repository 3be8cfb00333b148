// @ts-check
/** Storage of uploads over a reload: the sessions, and the files themselves unless they are too large. */

/**
 * @typedef {{
 *   id: string, key: string, uploadId: string, partSize: number, name: string, size: number, modified: number, kept: boolean,
 * }} Session `size` and `partSize` are in bytes
 */

const SESSIONS = "vod-uploads";
/** The largest file that is kept, in bytes: it takes its room on the disk once more. Larger ones have to be chosen again. */
const FILE_MAX = 1 << 30;

export const sessions = {
  /** @returns {Session[]} */
  read() {
    try {
      const read = JSON.parse(localStorage.getItem(SESSIONS) ?? "[]");
      return Array.isArray(read) ? read.filter(({ uploadId, partSize }) => uploadId && partSize > 0) : [];
    } catch {
      return [];
    }
  },
  /** @param {Session[]} all */
  write(all) {
    try {
      localStorage.setItem(SESSIONS, JSON.stringify(all));
    } catch {
      // The browser stores nothing for sites: uploads last as long as the page.
    }
  },
};

/** @type {Promise<IDBDatabase> | undefined} */
let opened;

function database() {
  opened ??= new Promise((done, failed) => {
    const request = indexedDB.open("vod-uploads", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("files");
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
  return opened;
}

/** @template T @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest<T>} use @returns {Promise<T | undefined>} */
async function stored(mode, use) {
  try {
    const store = (await database()).transaction("files", mode).objectStore("files");
    const request = use(store);
    return await new Promise((done, failed) => {
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });
  } catch {
    return undefined;
  }
}

export const files = {
  /** Returns whether the file is kept. @param {string} id @param {File} file */
  async keep(id, file) {
    return file.size <= FILE_MAX && (await stored("readwrite", (store) => store.put(file, id))) !== undefined;
  },
  /** @param {string} id @returns {Promise<File | undefined>} */
  async get(id) {
    const file = await stored("readonly", (store) => store.get(id));
    return file instanceof File ? file : undefined;
  },
  /** @param {string} id */
  async forget(id) {
    await stored("readwrite", (store) => store.delete(id));
  },
};
