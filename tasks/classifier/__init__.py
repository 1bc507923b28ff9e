from tasks.networks.quiet import import_tensorflow

import_tensorflow()
