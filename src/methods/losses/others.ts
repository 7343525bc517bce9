/** Losses of the field that no page carries unless it imports them: one line each. */
export { teacherCosine } from './teacher-cosine.ts';
