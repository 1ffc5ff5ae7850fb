import js from '@eslint/js'
import reactHooks from 'eslint-plugin-react-hooks'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** tap waits for its tests itself. */
const AWAITED_BY_TAP = ['@tapjs/test', '@tapjs/core', 'tap'].map((name) => ({
  from: 'package',
  package: name,
  name: ['test', 'teardown', 'before', 'after', 'beforeEach', 'afterEach'],
}))

export default defineConfig([
  globalIgnores(['dist', 'demo-out', 'bench-out', '.tap', '.cache']),
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['web/vite.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: AWAITED_BY_TAP },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-expressions': [
        'error',
        { allowTernary: true, allowShortCircuit: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      // A handler is asynchronous by its interface, whether or not it waits for something.
      '@typescript-eslint/require-await': 'off',
      // Kysely's expression builders are taken apart by design.
      '@typescript-eslint/unbound-method': 'off',
      // Control characters are what these expressions look for.
      'no-control-regex': 'off',
      // Does not know `??=`; TypeScript looks for unused members.
      'no-unused-private-class-members': 'off',
      'no-loss-of-precision': 'off',
      // What comes from JSON, XML and rejections is unknown to the libraries' types; TypeBox looks at it.
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
    },
  },
  {
    // Work that nobody waits for goes through inBackground: a rejection that nobody handles would end the process.
    files: ['broker/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          ignoreVoid: false,
          allowForKnownSafePromises: [
            { from: 'package', package: 'fastify', name: 'FastifyReply' },
          ],
        },
      ],
    },
  },
  {
    // A function that has more ways through it tells several stories.
    files: ['{broker,cli,thin-client,web,bench,demo,docs}/**/*.{ts,tsx}'],
    rules: { complexity: ['error', 12], 'max-statements': ['error', 25] },
  },
  {
    // A function fits a screen.
    files: ['{broker,cli,thin-client,web,bench,demo}/**/*.{ts,tsx}'],
    rules: {
      'max-lines-per-function': ['error', { max: 45, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    // A closure over what is made later hides that two folders need one another.
    files: ['broker/parts.ts', 'broker/foundation.ts', 'broker/*/assembly.ts'],
    rules: { '@typescript-eslint/no-use-before-define': ['error', { functions: false }] },
  },
  {
    files: ['web/**/*.tsx', 'web/**/*.ts'],
    plugins: { 'react-hooks': reactHooks },
    rules: { 'react-hooks/rules-of-hooks': 'error' },
  },
])
