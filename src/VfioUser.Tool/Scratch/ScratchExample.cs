namespace VfioUser.Tool.Scratch;

/// <summary>An example with every property that a description can have; it can be served.</summary>
internal static class ScratchExample
{
    public const string Text = """
        {
          // numbers may be decimal, or strings with 0x
          "id": { "vendor": "0x1b36", "device": "0x00f1", "subsystemVendor": "0x1b36", "subsystem": 1, "revision": 2 },
          "class": "0x120000",
          "bars": [
            {
              "number": 0,
              "kind": "memory32", // memory64, memory32Prefetchable, memory64Prefetchable, io
              "size": "0x1000",
              "values": [
                { "offset": "0x40", "width": 4, "value": "0xcafe0001" }, // width is 4 without it
                { "offset": "0x50", "bytes": "de ad be ef" }
              ],
              "readOnlyAreas": [{ "offset": "0x40", "size": "0x40" }],
              "doorbells": [
                // a write to 0x18 copies guest memory into the buffer; 0x1c copies it back; then the interrupt
                {
                  "offset": "0x18",
                  "dma": { "direction": "read", "address": "0x00", "length": "0x08", "status": "0x0c", "buffer": "0x100" },
                  "irq": "msix",
                  "vector": 0
                },
                {
                  "offset": "0x1c",
                  "dma": { "direction": "write", "address": "0x00", "length": "0x08", "status": "0x0c", "buffer": "0x100" },
                  "irq": "msix",
                  "vector": 1
                },
                { "offset": "0x20", "irq": "intx" }
              ]
            },
            { "number": 1, "size": "0x1000" }, // for the MSI-X table
            { "number": 2, "kind": "memory64", "size": "0x4000", "mapped": [{ "offset": "0x1000", "size": "0x1000" }] },
            { "number": 4, "size": "0x100", "readOnly": true, "values": [{ "offset": 0, "value": "0x12345678" }] }
          ],
          "irqs": { "intx": true, "msi": { "vectors": 2 }, "msix": { "bar": 1, "offset": 0, "vectors": 2 } },
          "capabilities": [
            { "type": "powerManagement" },
            { "type": "pciExpress" },
            { "type": "vendor", "data": "01 02 03 04" },
            { "type": "raw", "id": "0x12", "data": "00 00" }, // behind id and next
            { "type": "serialNumber", "id": "0x1122334455667788" }
          ],
          "migration": true
        }
        """;
}
