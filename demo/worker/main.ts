/** The worker: makes a laboratory for the page. */
import * as Comlink from 'comlink';
import { Laboratory } from './laboratory.ts';
import { carryTroubles } from './protocol.ts';

carryTroubles();
Comlink.expose(Laboratory);
