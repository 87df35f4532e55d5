export { findCosign } from './cosign-install.ts';
export { openKey } from './cosign-key.ts';
export { findPublicKey } from './cosign-public-key.ts';
export { NO_SERVICES, publicKeyOf, signStatement } from './cosign-sign.ts';
export { verifyWithKey } from './cosign-verify.ts';
