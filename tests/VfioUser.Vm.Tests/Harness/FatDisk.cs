using System.Buffers.Binary;
using System.Text;
using VfioUser.Disks;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>A disk with a FAT16 file system and no partitions, as UEFI reads it. Made here, for no guest of the tests has the tools.</summary>
internal sealed class FatDisk
{
    private const int SectorSize = 512;
    private const int ClusterSectors = 4;
    private const int ClusterSize = ClusterSectors * SectorSize;
    private const int ReservedSectors = 1;
    private const int Tables = 2;
    private const int RootEntries = 512;
    private const int EntrySize = 32;
    private const int RootSectors = RootEntries * EntrySize / SectorSize;
    private const int FirstCluster = 2;
    private const ushort EndOfFile = 0xFFFF;
    private const byte Archive = 0x20; // an ordinary file
    private const byte Folder = 0x10;

    private readonly byte[] _image;
    private readonly int _tableSectors;
    private int _next = FirstCluster;

    private FatDisk(int size)
    {
        _image = new byte[size];
        int sectors = size / SectorSize;
        _tableSectors = (sectors / ClusterSectors + FirstCluster) * sizeof(ushort) / SectorSize + 1;
        PutHeader(_image, sectors, _tableSectors);
        BinaryPrimitives.WriteUInt32LittleEndian(Table, 0xFFFF_FFF8);
    }

    /// <param name="size">In bytes; of 16 to 128 MiB.</param>
    /// <param name="boots">The program that UEFI starts: EFI/BOOT/BOOTX64.EFI.</param>
    /// <param name="files">Names of eight and three characters, in capitals, and what is in the files.</param>
    public static MemoryDisk Create(int size, byte[] boots, params (string Name, byte[] Content)[] files)
    {
        FatDisk disk = new(size);
        List<byte> root = [];
        foreach ((string name, byte[] content) in files)
            root.AddRange(Entry(name, Archive, disk.Put(content), content.Length));
        int program = disk.Put(boots);
        int efi = disk._next, boot = efi + 1;
        disk.Put([.. Entry(".", Folder, efi), .. Entry("..", Folder, 0), .. Entry("BOOT", Folder, boot)]);
        disk.Put([.. Entry(".", Folder, boot), .. Entry("..", Folder, efi), .. Entry("BOOTX64.EFI", Archive, program, boots.Length)]);
        root.AddRange(Entry("EFI", Folder, efi));
        root.CopyTo(disk._image, disk.RootOffset);
        disk.Table.CopyTo(disk._image.AsSpan((ReservedSectors + disk._tableSectors) * SectorSize));
        MemoryDisk made = new(size);
        made.WriteAsync(0, disk._image).AsTask().GetAwaiter().GetResult();
        return made;
    }

    private Span<byte> Table => _image.AsSpan(ReservedSectors * SectorSize, _tableSectors * SectorSize);

    private int RootOffset => (ReservedSectors + Tables * _tableSectors) * SectorSize;

    // Returns its first cluster.
    private int Put(byte[] content)
    {
        int first = _next;
        content.CopyTo(_image, RootOffset + RootSectors * SectorSize + (first - FirstCluster) * ClusterSize);
        for (int last = first + (content.Length - 1) / ClusterSize; _next <= last; _next++)
            BinaryPrimitives.WriteUInt16LittleEndian(Table[(_next * sizeof(ushort))..], _next == last ? EndOfFile : (ushort)(_next + 1));
        return first;
    }

    private static byte[] Entry(string name, byte kind, int cluster, int length = 0)
    {
        byte[] entry = new byte[EntrySize];
        string whole = name.StartsWith('.') ? name.PadRight(11)
            : Path.GetFileNameWithoutExtension(name).PadRight(8) + Path.GetExtension(name).TrimStart('.').PadRight(3);
        Encoding.ASCII.GetBytes(whole, entry);
        entry[11] = kind;
        BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(26), (ushort)cluster);
        BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(28), length);
        return entry;
    }

    private static void PutHeader(Span<byte> sector, int sectors, int tableSectors)
    {
        new byte[] { 0xEB, 0x3C, 0x90 }.CopyTo(sector);
        "VFIOUSER"u8.CopyTo(sector[3..]);
        BinaryPrimitives.WriteUInt16LittleEndian(sector[11..], SectorSize);
        sector[13] = ClusterSectors;
        BinaryPrimitives.WriteUInt16LittleEndian(sector[14..], ReservedSectors);
        sector[16] = Tables;
        BinaryPrimitives.WriteUInt16LittleEndian(sector[17..], RootEntries);
        sector[21] = 0xF8; // a fixed disk
        BinaryPrimitives.WriteUInt16LittleEndian(sector[22..], (ushort)tableSectors);
        BinaryPrimitives.WriteUInt16LittleEndian(sector[24..], 63);
        BinaryPrimitives.WriteUInt16LittleEndian(sector[26..], 255);
        BinaryPrimitives.WriteInt32LittleEndian(sector[32..], sectors);
        (sector[36], sector[38]) = (0x80, 0x29);
        "BOOT       FAT16   "u8.CopyTo(sector[43..]);
        BinaryPrimitives.WriteUInt16LittleEndian(sector[510..], 0xAA55);
    }
}
