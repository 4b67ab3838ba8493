using System.Buffers.Binary;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>Identify. NVMe 1.4 5.15.</summary>
internal sealed class IdentifyCommand(ControllerParts parts) : IAdminCommand
{
    private const int PageSize = 4096;
    private const uint AllNamespaces = 0xFFFF_FFFF;

    // DLFEAT: what was deallocated reads as zeros, and Write Zeroes can deallocate
    private const byte DeallocationFeatures = 1 << 3 | 1;

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
            0x02 => List(parts.Namespaces.AllAttached, command.Nsid, page),
            0x03 => Descriptors(command.Nsid, page),
            // what version 2.0 has beside them, which Linux asks for: nothing to add to the above
            0x05 => otherSet ? Status.InvalidField : parts.Namespaces.IsValid(command.Nsid) ? Status.Success : Status.InvalidNamespace,
            0x06 => otherSet ? Status.InvalidField : Limits(page),
            0x07 => otherSet ? Status.InvalidField : List(parts.Namespaces.AllAttached, command.Nsid, page),
            0x08 => IdentifyIndependent(command.Nsid, page),
            0x10 => List(parts.Namespaces.All, command.Nsid, page),
            0x11 => IdentifyAllocated(command.Nsid, page),
            0x12 => ControllersOf(command.Nsid, command.Dword10 >> 16, page),
            0x13 => List(parts.Subsystem.Controllers, command.Dword10 >> 16, page),
            0x1A => otherSet ? Status.InvalidField : List(parts.Namespaces.All, command.Nsid, page),
            _ => Status.InvalidField,
        };
        return status == Status.Success ? context.Return(command, page) : status;
    }

    // NVMe 1.4 figure 247
    private Status IdentifyController(Span<byte> page)
    {
        Put16(page, 0, parts.Id.Vendor);
        Put16(page, 2, parts.Id.SubsystemVendor);
        PutText(page[4..24], parts.Subsystem.SerialNumber);
        PutText(page[24..64], parts.Subsystem.Options.ModelNumber);
        PutText(page[64..72], PersistentEventLog.FirmwareRevision);
        page[72] = 5; // RAB: bursts of 32
        if (parts.Subsystem.IsShared)
            PutSharing(page);
        page[77] = CommandContext.MaxTransferExponent; // MDTS
        Put16(page, 78, parts.ControllerId);
        Put32(page, 80, ControllerRegisters.Version14);
        Put32(page, 84, LongTime); // RTD3R
        Put32(page, 88, LongTime); // RTD3E: a shutdown flushes what the guest has left in the cache
        Put32(page, 92, 1 << 8 | (parts.Subsystem.IsShared ? 1u << 11 : 0)); // OAES: namespaces that change, paths that do
        page[111] = 1; // CNTRLTYPE: an I/O controller
        Put16(page, 256, (ushort)(1 << 1 | 1 << 3 | 1 << 4 | (parts.OffersShadowDoorbells ? 1 << 8 : 0))); // OACS: format, namespaces, self-tests, doorbell buffers
        page[258] = 3; // ACL: 4 aborts
        page[259] = AsyncEvents.MaxRequests - 1; // AERL
        page[260] = 1 << 1 | 1; // FRMW: one slot, read-only
        page[261] = 1 << 1 | 1 << 2 | 1 << 4; // LPA: effects, offsets, persistent events
        page[262] = ErrorLog.Entries - 1; // ELPE
        Put16(page, 266, 343); // WCTEMP
        Put16(page, 268, 353); // CCTEMP
        Put16(page, 316, ExtendedTestTime()); // EDSTT
        Put16(page, 320, KeepAlive.Granularity); // KAS
        Put32(page, 352, PersistentEventLog.SizeUnits); // PELS
        page[512] = 0x66; // SQES: 64 bytes
        page[513] = 0x44; // CQES: 16 bytes
        Put32(page, 516, (uint)parts.Namespaces.Largest); // NN
        Put32(page, 540, (uint)parts.Namespaces.Largest); // MNAN: Linux takes no controller with paths of different states that has none
        Put16(page, 520, (ushort)(1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | (parts.Subsystem.IsShared ? 1 << 5 : 0) | 1 << 6 | 1 << 7 | 1 << 8)); // ONCS: compare, uncorrectable, DSM, zeroes, select, reservations, timestamp, verify, copy
        Put16(page, 522, 1); // FUSES: compare and write
        page[525] = (byte)(parts.OffersWriteCache ? 0b111 : 0b110); // VWC, and that a flush may be for all namespaces
        Put16(page, 526, 0); // AWUN: one block is written as a whole
        Put16(page, 534, 1); // OCFS: copy descriptors of format 0
        Put32(page, 536, 1); // SGLS: of any length at any byte
        PutText(page.Slice(768, 256), parts.SubsystemName, '\0');
        Put16(page, 2048, 0); // the one power state takes no power
        return Status.Success;
    }

    // that there are other controllers, and paths of different states
    private static void PutSharing(Span<byte> page)
    {
        const byte SeveralControllers = 1 << 1, ReportsAna = 1 << 3;
        const byte AllStates = 0b1_1111, GroupIsFixed = 1 << 6;
        page[76] = SeveralControllers | ReportsAna; // CMIC
        const uint LongHostIdentifiers = 1, HostIsRequired = 1 << 18;
        Put32(page, 96, LongHostIdentifiers | HostIsRequired); // CTRATT: of 128 bits; reservations need one
        page[342] = AnaGroups.TransitionTime; // ANATT
        page[343] = AllStates | GroupIsFixed; // ANACAP
        Put32(page, 344, AnaGroups.Count); // ANAGRPMAX
        Put32(page, 348, AnaGroups.Count); // NANAGRPID
    }

    // in minutes, of a disk that is not the fastest
    private ushort ExtendedTestTime() =>
        (ushort)Math.Clamp(1 + parts.Namespaces.AllAttached.Sum(space => space.Length >> 30) / 16, 1, ushort.MaxValue);

    // NVM command set specification 1.0 figure 102: commands without data need not be as short as those with
    private static Status Limits(Span<byte> page)
    {
        page[1] = page[2] = 4 + 9; // WZSL, WUSL: 65,536 blocks of 512 bytes, in pages
        return Status.Success;
    }

    // NVMe 1.4 figure 245
    private Status IdentifyNamespace(uint nsid, Span<byte> page)
    {
        if (nsid == AllNamespaces)
            return IdentifyCommon(page);
        // one that is not attached is a page of zeros
        if (parts.Namespaces.Attached(nsid) is { } space)
            PutNamespace(page, space);
        return parts.Namespaces.IsValid(nsid) ? Status.Success : Status.InvalidNamespace;
    }

    // the same whether the driver sees the namespace or not
    private Status IdentifyAllocated(uint nsid, Span<byte> page)
    {
        if (parts.Namespaces.Allocated(nsid) is { } space)
            PutNamespace(page, space);
        return parts.Namespaces.IsValid(nsid) ? Status.Success : Status.InvalidNamespace;
    }

    // what all namespaces can do: for drivers that would make one
    private static Status IdentifyCommon(Span<byte> page)
    {
        page[33] = DeallocationFeatures;
        PutFormats(page, [512, 4096], 0);
        return Status.Success;
    }

    private void PutNamespace(Span<byte> page, Namespace space)
    {
        if (parts.Subsystem.IsShared)
        {
            page[30] = 1; // NMIC: shared
            page[31] = ReservationsOf(space); // RESCAP
            Put32(page, 92, space.Shared.AnaGroup); // ANAGRPID
        }
        Put64(page, 0, space.BlockCount); // NSZE
        Put64(page, 8, space.BlockCount); // NCAP
        Put64(page, 16, space.BlockCount); // NUSE
        PutHints(page, space);
        int copy = IoCommands.MaxCopy / space.BlockSize;
        Put16(page, 74, (ushort)copy); // MSSRL
        Put32(page, 76, (uint)copy); // MCL
        page[80] = IoCommands.MaxCopyRanges - 1; // MSRC
        page[33] = DeallocationFeatures;
        page[99] = (byte)(space.IsReadOnly ? 1 : 0); // NSATTR: write-protected
        space.Uuid.TryWriteBytes(page[104..120], bigEndian: true, out _); // NGUID
        PutFormats(page, space.Formats, space.Format);
    }

    // all types, and that an existing key is ignored as since version 1.3
    private static byte ReservationsOf(Namespace space) => (byte)(0xFE | (space.Shared.Reservations.CanPersist ? 1 : 0));

    private static void PutFormats(Span<byte> page, IReadOnlyList<int> blockSizes, int current)
    {
        page[25] = (byte)(blockSizes.Count - 1); // NLBAF
        page[26] = (byte)current; // FLBAS
        for (int i = 0; i < blockSizes.Count; i++)
        {
            // LBADS, and RP: large blocks are faster
            Put32(page, 128 + i * sizeof(uint), (uint)int.Log2(blockSizes[i]) << 16 | (blockSizes[i] < PageSize ? 1u << 24 : 0));
        }
    }

    // NVMe 2.0 figure 280, for any command set
    private Status IdentifyIndependent(uint nsid, Span<byte> page)
    {
        if (parts.Namespaces.Attached(nsid) is { } space)
        {
            if (parts.Subsystem.IsShared)
            {
                page[1] = 1; // NMIC: shared
                page[2] = ReservationsOf(space); // RESCAP
                Put32(page, 4, space.Shared.AnaGroup); // ANAGRPID
            }
            page[8] = (byte)(space.IsReadOnly ? 1 : 0); // NSATTR: write-protected
            page[14] = 1; // NSTAT: ready
        }
        return parts.Namespaces.IsValid(nsid) ? Status.Success : Status.InvalidNamespace;
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
        Put16(page, 46, (ushort)Math.Min(hints.BoundaryLength / space.BlockSize, ushort.MaxValue)); // NOIOB
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

    private static Status List(IEnumerable<Namespace> namespaces, uint above, Span<byte> page)
    {
        if (above >= 0xFFFF_FFFE)
            return Status.InvalidNamespace;
        int at = 0;
        foreach (Namespace space in namespaces.Where(space => space.Id > above).Take(PageSize / sizeof(uint)))
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
        if (parts.Namespaces.Attached(nsid) is not { } space)
            return parts.Namespaces.Refusal(nsid);
        (page[0], page[1]) = (Nguid, Length);
        space.Uuid.TryWriteBytes(page[4..20], bigEndian: true, out _);
        (page[20], page[21]) = (Uuid, Length);
        space.Uuid.TryWriteBytes(page[24..40], bigEndian: true, out _);
        return Status.Success;
    }

    // NVMe 1.4 figure 250: those that have a namespace attached
    private Status ControllersOf(uint nsid, uint from, Span<byte> page)
    {
        if (parts.Namespaces.Allocated(nsid) is not { } space)
            return parts.Namespaces.Refusal(nsid);
        return List(parts.Subsystem.ControllersOf(space.Id), from, page);
    }

    private static Status List(ushort[] controllers, uint from, Span<byte> page)
    {
        const int Most = PageSize / sizeof(ushort) - 1;
        ushort[] ids = [.. controllers.Where(id => id >= from).Take(Most)];
        Put16(page, 0, (ushort)ids.Length);
        for (int i = 0; i < ids.Length; i++)
            Put16(page, (i + 1) * sizeof(ushort), ids[i]);
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
