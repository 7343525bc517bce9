/** `npm run test:outside`: what goes through a user's doors and takes minutes; `.ci/run` runs it after `npm test`. */
import { OUTSIDE } from '../vite.config.ts';
import { only } from './helpers/only.ts';

export default only(OUTSIDE);
