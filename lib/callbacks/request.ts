/**
 * What every function of the application is shown that a connection asks. Which class `ssl` is of stands above all that asks: it
 * adds the member itself, where it is declared.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by those who import it
export interface CallbackRequest {}
