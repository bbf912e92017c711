/** Members whose values are the person's or their tools' own, and mean nothing to the API. The marks of a scan pass over the first two as well. */
export const OTHERS_WORDS = ['input', 'input_schema', 'input_examples', 'output_schema', 'output_examples', 'schema', 'tags', 'classifier_context']
