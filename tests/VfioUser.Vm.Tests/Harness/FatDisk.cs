using System.Buffers.Binary;
using System.Text;
using VfioUser.Disks;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>A disk with a FAT16 file system and no partitions, as UEFI reads it. Made here, for no guest of the tests has the tools.</summary>
internal static class FatDisk
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

    /// <param name="size">In bytes; of 16 to 128 MiB.</param>
    /// <param name="files">Names of eight and three characters, in capitals, and what is in the files.</param>
    public static MemoryDisk Create(int size, params (string Name, byte[] Content)[] files)
    {
        byte[] image = new byte[size];
        int sectors = size / SectorSize;
        int tableSectors = (sectors / ClusterSectors + FirstCluster) * sizeof(ushort) / SectorSize + 1;
        int root = (ReservedSectors + Tables * tableSectors) * SectorSize;
        int data = root + RootSectors * SectorSize;
        PutHeader(image, sectors, tableSectors);
        Span<byte> table = image.AsSpan(ReservedSectors * SectorSize, tableSectors * SectorSize);
        BinaryPrimitives.WriteUInt32LittleEndian(table, 0xFFFF_FFF8);
        int cluster = FirstCluster;
        for (int i = 0; i < files.Length; i++)
        {
            (string name, byte[] content) = files[i];
            Span<byte> entry = image.AsSpan(root + i * EntrySize, EntrySize);
            Encoding.ASCII.GetBytes(Path.GetFileNameWithoutExtension(name).PadRight(8) + Path.GetExtension(name).TrimStart('.').PadRight(3), entry);
            entry[11] = 0x20; // to be archived: an ordinary file
            BinaryPrimitives.WriteUInt16LittleEndian(entry[26..], (ushort)cluster);
            BinaryPrimitives.WriteInt32LittleEndian(entry[28..], content.Length);
            content.CopyTo(image, data + (cluster - FirstCluster) * ClusterSize);
            for (int last = cluster + (content.Length - 1) / ClusterSize; cluster <= last; cluster++)
                BinaryPrimitives.WriteUInt16LittleEndian(table[(cluster * sizeof(ushort))..], cluster == last ? EndOfFile : (ushort)(cluster + 1));
        }
        table.CopyTo(image.AsSpan((ReservedSectors + tableSectors) * SectorSize));
        MemoryDisk disk = new(size);
        disk.WriteAsync(0, image).AsTask().GetAwaiter().GetResult();
        return disk;
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
