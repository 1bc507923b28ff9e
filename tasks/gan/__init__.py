from tasks.networks import import_tensorflow

import_tensorflow()
