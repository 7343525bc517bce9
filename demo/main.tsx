/** The studio: shows the page, and starts the worker that trains. */
import { render } from 'preact';
import { keepOffline } from './state/offline.ts';
import { start } from './state/studio.ts';
import { App } from './views/app.tsx';

render(<App />, document.getElementById('studio') ?? document.body);
void start();
keepOffline();
