/** Quantizers whose values are their signs, without rules for rows or numbers that change: all that most networks name. */
import { namesIn, resolverOf } from '../method.ts';
import type { Quantizer } from '../quantizer.ts';
import { approxSign } from './approx-sign.ts';
import type { QuantizerLike } from './index.ts';
import { steIdentity } from './ste-identity.ts';
import { steSign } from './ste-sign.ts';
import { swishSign } from './swish-sign.ts';

const PLAIN = { approxSign, steIdentity, steSign, swishSign };

export const PLAIN_QUANTIZER_NAMES = /* @__PURE__ */ namesIn(PLAIN);

/** As `resolveQuantizer`, of these. */
export const resolvePlainQuantizer = /* @__PURE__ */ resolverOf<Quantizer, QuantizerLike>('quantizer', PLAIN);
