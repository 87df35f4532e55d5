import type { ScanRecord } from '../core/scan-record.ts';
import { loadImageScanner } from '../load-image-scanner.ts';
import type { Descriptor } from '../oci/types.ts';
import type { FoundImage } from '../registry/image.ts';
import { imageOf, openImage, type Stage } from '../stage.ts';
import { orWithoutRecord, SCAN_RECORD } from '../without-record.ts';

/** What was attached to the image; `undefined` when the registry refused it. */
export interface VerdictResult {
  readonly artifact: Descriptor | undefined;
}

interface VerdictPlan {
  readonly image: FoundImage;
  readonly record: ScanRecord;
}

/** Keeps what the scan has found with the image, so that the runs of the next hours need not scan it again. */
export const verdictStage: Stage<'verdict', VerdictPlan> = {
  name: 'verdict',
  title: 'Keep the result of the scan',
  plan(run) {
    const { event, results } = run;
    const image = imageOf(run);
    if (results.scan === undefined || image === undefined) return { skip: 'nothing was scanned' };
    if (results.scan.record === undefined) return { skip: 'it is kept already' };
    if (!event.push) return { skip: event.untrusted ?? 'push is off' };
    return { image, record: results.scan.record };
  },
  async apply({ image, record }, run) {
    const { attachScan } = await loadImageScanner();
    const attach = (): Promise<Descriptor> => attachScan(openImage(run, image.repository), image.descriptor, record);
    return { artifact: await orWithoutRecord(run.host, { ...SCAN_RECORD, repository: image.repository }, attach) };
  },
};
