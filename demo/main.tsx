/** The studio: shows the page, and starts the worker that trains. */
import { render } from 'preact';
import { keepCollection } from './state/collection.ts';
import { keepOffline } from './state/offline.ts';
import { start } from './state/studio.ts';
import { App } from './views/app.tsx';

render(<App />, document.getElementById('studio') ?? document.body);
void keepCollection();
void start();
keepOffline();
