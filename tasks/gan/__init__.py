from tasks.support.quiet import import_tensorflow

import_tensorflow()
