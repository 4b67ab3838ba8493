using System.Buffers.Binary;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>Identify. NVMe 1.4 5.15.</summary>
internal sealed class IdentifyCommand(ControllerParts parts) : IAdminCommand
{
    private const int PageSize = 4096;

    // a minute, in microseconds: the most that Linux waits
    private const uint LongTime = 60_000_000;

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        Span<byte> page = stackalloc byte[PageSize];
        page.Clear();
        // the identifier of the I/O command set; there is one, number 0
        bool otherSet = command.Dword11 >> 24 != 0;
        Status status = (byte)command.Dword10 switch
        {
            0x00 => IdentifyNamespace(command.Nsid, page),
            0x01 => IdentifyController(page),
            0x02 => ActiveNamespaces(command.Nsid, page),
            0x03 => Descriptors(command.Nsid, page),
            // what version 2.0 has beside them, which Linux asks for: nothing to add to the above
            0x05 => otherSet ? Status.InvalidField : parts.Namespace(command.Nsid) is null ? Status.InvalidNamespace : Status.Success,
            0x06 => otherSet ? Status.InvalidField : Limits(page),
            _ => Status.InvalidField,
        };
        return status == Status.Success ? context.Return(command, page) : status;
    }

    // NVMe 1.4 figure 247
    private Status IdentifyController(Span<byte> page)
    {
        Put16(page, 0, parts.Id.Vendor);
        Put16(page, 2, parts.Id.SubsystemVendor);
        PutText(page[4..24], parts.SerialNumber);
        PutText(page[24..64], parts.Options.ModelNumber);
        PutText(page[64..72], GetLogPageCommand.FirmwareRevision);
        page[72] = 5; // RAB: bursts of 32
        page[77] = CommandContext.MaxTransferExponent; // MDTS
        Put32(page, 80, ControllerRegisters.Version14);
        Put32(page, 84, LongTime); // RTD3R
        Put32(page, 88, LongTime); // RTD3E: a shutdown flushes what the guest has left in the cache
        Put32(page, 92, 1 << 8); // OAES: namespaces that change
        page[111] = 1; // CNTRLTYPE: an I/O controller
        Put16(page, 256, (ushort)(1 << 1 | (parts.OffersShadowDoorbells ? 1 << 8 : 0))); // OACS: format, doorbell buffers
        page[258] = 3; // ACL: 4 aborts
        page[259] = AsyncEvents.MaxRequests - 1; // AERL
        page[260] = 1 << 1 | 1; // FRMW: one slot, read-only
        page[261] = 1 << 1 | 1 << 2; // LPA: effects, offsets
        page[262] = ErrorLog.Entries - 1; // ELPE
        Put16(page, 266, 343); // WCTEMP
        Put16(page, 268, 353); // CCTEMP
        page[512] = 0x66; // SQES: 64 bytes
        page[513] = 0x44; // CQES: 16 bytes
        Put32(page, 516, (uint)parts.Namespaces.Count); // NN
        Put16(page, 520, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7); // ONCS: compare, DSM, zeroes, select, timestamp, verify
        bool cache = parts.Namespaces.Any(space => space.HasVolatileCache);
        page[525] = (byte)(cache ? 0b111 : 0b110); // VWC, and that a flush may be for all namespaces
        Put16(page, 526, 0); // AWUN: one block is written as a whole
        Put32(page, 536, 1); // SGLS: of any length at any byte
        PutText(page.Slice(768, 256), $"nqn.2014-08.org.nvmexpress:uuid:{parts.Namespaces[0].Uuid}", '\0');
        Put16(page, 2048, 0); // the one power state takes no power
        return Status.Success;
    }

    // NVM command set specification 1.0 figure 102: commands without data need not be as short as those with
    private Status Limits(Span<byte> page)
    {
        page[1] = (byte)(4 + int.Log2(parts.Namespaces.Min(space => space.BlockSize))); // WZSL: 65,536 blocks, in pages
        return Status.Success;
    }

    // NVMe 1.4 figure 245
    private Status IdentifyNamespace(uint nsid, Span<byte> page)
    {
        if (parts.Namespace(nsid) is not { } space)
            return Status.InvalidNamespace;
        Put64(page, 0, space.BlockCount); // NSZE
        Put64(page, 8, space.BlockCount); // NCAP
        Put64(page, 16, space.BlockCount); // NUSE
        PutHints(page, space);
        page[33] = 1 << 3 | 1; // DLFEAT: what was deallocated reads as zeros, and Write Zeroes can deallocate
        page[99] = (byte)(space.IsReadOnly ? 1 : 0); // NSATTR: write-protected
        space.Uuid.TryWriteBytes(page[104..120], bigEndian: true, out _); // NGUID
        page[128 + 2] = (byte)int.Log2(space.BlockSize); // LBAF 0
        return Status.Success;
    }

    private static void PutHints(Span<byte> page, Namespace space)
    {
        const int Atomic = 1 << 1, Optimal = 1 << 4; // in NSFEAT
        DiskHints hints = space.Hints;
        if (hints.AtomicWriteLength > 0)
        {
            page[24] |= Atomic;
            // NAWUN, NAWUPF, NACWU, and the boundaries NABSN, NABSPF
            PutBlocks(hints.AtomicWriteLength, page, 34, 36, 38, 40, 44);
        }
        if (hints.PreferredWriteLength > 0 || hints.DeallocationLength > 0)
        {
            page[24] |= Optimal;
            PutBlocks(hints.PreferredWriteLength, page, 64, 66, 72); // NPWG, NPWA, NOWS
            PutBlocks(hints.DeallocationLength, page, 68, 70); // NPDG, NPDA
        }

        // one block is 0
        void PutBlocks(int length, Span<byte> page, params ReadOnlySpan<int> offsets)
        {
            foreach (int offset in offsets)
                Put16(page, offset, (ushort)Math.Clamp(length / space.BlockSize - 1, 0, ushort.MaxValue));
        }
    }

    private Status ActiveNamespaces(uint above, Span<byte> page)
    {
        if (above >= 0xFFFF_FFFE)
            return Status.InvalidNamespace;
        int at = 0;
        foreach (Namespace space in parts.Namespaces.Where(space => space.Id > above).Take(PageSize / sizeof(uint)))
        {
            Put32(page, at, space.Id);
            at += sizeof(uint);
        }
        return Status.Success;
    }

    // NVMe 1.4 figure 249
    private Status Descriptors(uint nsid, Span<byte> page)
    {
        const byte Nguid = 2, Uuid = 3, Length = 16;
        if (parts.Namespace(nsid) is not { } space)
            return Status.InvalidNamespace;
        (page[0], page[1]) = (Nguid, Length);
        space.Uuid.TryWriteBytes(page[4..20], bigEndian: true, out _);
        (page[20], page[21]) = (Uuid, Length);
        space.Uuid.TryWriteBytes(page[24..40], bigEndian: true, out _);
        return Status.Success;
    }

    private static void PutText(Span<byte> field, string text, char padding = ' ')
    {
        field.Fill((byte)padding);
        Encoding.ASCII.GetBytes(text, field);
    }

    private static void Put16(Span<byte> page, int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(page[offset..], value);

    private static void Put32(Span<byte> page, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(page[offset..], value);

    private static void Put64(Span<byte> page, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(page[offset..], value);
}
