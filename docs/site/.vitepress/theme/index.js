import { useRoute } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { h, nextTick, onMounted, watch } from 'vue';
import './style.css';

export default {
  extends: DefaultTheme,
  Layout: {
    setup() {
      const route = useRoute();
      /** The first page and the one that isn't found have no <main>, which screen readers go to. */
      const mark = async () => {
        await nextTick();
        const content = document.getElementById('VPContent');
        if (document.querySelector('main')) content?.removeAttribute('role');
        else content?.setAttribute('role', 'main');
      };
      onMounted(mark);
      watch(() => route.path, mark);
      return () => h(DefaultTheme.Layout);
    },
  },
};
