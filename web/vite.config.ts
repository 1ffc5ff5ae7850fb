import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { build } from 'esbuild'
import { defineConfig, type Plugin } from 'vite'

const OUTPUT = join(import.meta.dirname, '../dist/pages')

/** Compresses once, when it is built; the broker only hands the files out. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    closeBundle: () => {
      const assets = join(OUTPUT, 'assets')
      for (const name of readdirSync(assets).filter((one) => /\.(js|css|svg|json)$/.test(one))) {
        const bytes = readFileSync(join(assets, name))
        writeFileSync(
          join(assets, `${name}.br`),
          brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
        )
        writeFileSync(join(assets, `${name}.gz`), gzipSync(bytes, { level: 9 }))
      }
    },
  }
}

/**
 * The script that stands before all others: bundled by itself, since one that shares its parts with
 * them would fail with them.
 */
function firstLoad(): Plugin {
  const name = 'first-load.js'
  return {
    name: 'first-load',
    apply: 'build',
    async buildStart() {
      const { outputFiles } = await build({
        entryPoints: [join(import.meta.dirname, 'frame/first-load.ts')],
        bundle: true,
        minify: true,
        write: false,
        format: 'iife',
        target: 'es2022',
      })
      this.emitFile({ type: 'asset', name, source: outputFiles[0]?.text ?? '' })
    },
    transformIndexHtml: {
      order: 'post',
      handler: (_, { bundle }) => {
        const file = Object.values(bundle ?? {}).find(
          (one) => one.type === 'asset' && one.names.includes(name),
        )
        if (!file) throw new Error(`${name} was not made`)
        return [{ tag: 'script', attrs: { src: `/${file.fileName}` }, injectTo: 'head-prepend' }]
      },
    },
  }
}

// Vite asks for a default export, the one exception to named exports.
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), firstLoad(), compressed()],
  // No data: URLs: the policy of the pages lets scripts and styles come from files only.
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2_000,
  },
  // `npx vite web` beside a running broker: pages from the sources, everything else from the broker.
  server: { proxy: { '/api': { target: 'https://localhost:8443', secure: false, ws: true } } },
})
