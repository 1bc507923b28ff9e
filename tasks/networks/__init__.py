from .quiet import import_tensorflow

import_tensorflow()
