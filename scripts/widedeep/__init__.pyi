from widedeep.analysis.block_structure import find_block as find_block
from widedeep.measures.cka import MinibatchCKA as MinibatchCKA
from widedeep.measures.cka import cka as cka
from widedeep.measures.layer_similarity import layer_cka as layer_cka
from widedeep.measures.layer_similarity import layer_similarity as layer_similarity

__version__: str
