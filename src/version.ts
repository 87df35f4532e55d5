/** The version of this program; `npm run docs` keeps it equal to package.json. */
export const VERSION = '0.1.0';
