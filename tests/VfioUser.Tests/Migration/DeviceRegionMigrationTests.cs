using System.Security.Cryptography;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

/// <summary>Regions of the device's own move as those of PCI do: registers and shared memory.</summary>
public class DeviceRegionMigrationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4097)]
    public void Registers_and_shared_memory_of_device_regions_move(int pieceSize)
    {
        OwnRegions source = new();
        source.Value!.Value = 0xCAFE_F00D;
        RandomNumberGenerator.Fill(source.Memory!.Span(0x1000, 0x1000));
        OwnRegions target = new();

        Restored(target, Saved(source), pieceSize).Should().Be(Errno.None);

        target.Value!.Value.Should().Be(0xCAFE_F00D);
        target.Memory!.Span(0x1000, 0x1000).SequenceEqual(source.Memory.Span(0x1000, 0x1000)).Should().BeTrue();
    }

    [Fact]
    public void A_device_with_other_regions_of_its_own_is_another_device()
    {
        byte[] stream = Saved(new OwnRegions());

        Restored(new OwnRegions(register: false), stream).Should().Be(Errno.EINVAL);
        Restored(new OwnRegions(memory: 0), stream).Should().Be(Errno.EINVAL);
        Restored(new OwnRegions(memory: 0x800 * 2, at: 0), stream).Should().Be(Errno.EINVAL);
        Restored(new OwnRegions(first: false), stream).Should().Be(Errno.EINVAL);
        Restored(new OwnRegions(), stream).Should().Be(Errno.None);
    }

    [Theory]
    [InlineData(10u, 0x2000ul, 16u)] // behind the area
    [InlineData(10u, 0x1FF1ul, 16u)] // beyond its end
    [InlineData(10u, 0xFFFul, 16u)] // before it
    [InlineData(10u, ulong.MaxValue, 16u)]
    [InlineData(10u, ulong.MaxValue - 7, 16u)]
    [InlineData(9u, 0x1000ul, 16u)] // a region without memory
    [InlineData(11u, 0x1000ul, 16u)] // no region
    [InlineData(uint.MaxValue, 0x1000ul, 16u)]
    [InlineData(7u, 0x1000ul, 16u)] // the configuration space
    [InlineData(10u, 0x1000ul, uint.MaxValue - 16)]
    public void Memory_that_a_stream_moves_elsewhere_is_refused_before_any_byte_is_stored(uint region, ulong offset, uint length)
    {
        OwnRegions target = new();
        target.Memory!.Span(0x1000, 0x1000).Fill(0x5A);
        using var guest = TestGuest.Attach(target);
        guest.Migration.SetState(Resuming);
        guest.Migration.Write(Saved(new OwnRegions()).AsSpan(0, MigrationHeader.WireSize));

        byte[] record = [.. BitConverter.GetBytes(5u), .. BitConverter.GetBytes(length + 16), .. BitConverter.GetBytes(region), 0, 0, 0, 0, .. BitConverter.GetBytes(offset), .. new byte[16]];
        guest.Client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(8 + (uint)record.Length, (uint)record.Length, record)).Errno.Should().Be(Errno.EINVAL);

        guest.Client.TrySetState(Stop).Should().Be(Errno.EINVAL);
        guest.Migration.GetState().Should().Be(Error);
        target.Memory.Span(0x1000, 0x1000).ContainsAnyExcept((byte)0x5A).Should().BeFalse();
    }

    private static byte[] Saved(PciDevice device)
    {
        using var guest = TestGuest.Attach(device);
        return guest.Migration.Save(1000);
    }

    private static Errno Restored(PciDevice device, byte[] stream, int pieceSize = 1 << 16)
    {
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(Resuming);
        try
        {
            foreach (byte[] piece in stream.Chunk(pieceSize))
                guest.Migration.Write(piece);
            guest.Migration.SetState(Running);
            return Errno.None;
        }
        catch (VfioUserException e)
        {
            return e.Errno;
        }
    }

    private sealed class OwnRegions : PciDevice
    {
        public OwnRegions(bool register = true, int memory = 0x1000, int at = 0x1000, bool first = true)
            : base(new PciId(0x1B36, 0x00F4), PciClass.Other)
        {
            if (first)
            {
                DeviceRegion registers = AddDeviceRegion(1, 2, 0x100);
                Value = register ? registers.AddRegister<uint>(0x10) : null;
            }
            DeviceRegion shared = AddDeviceRegion(3, 4, 0x3000);
            if (memory > 0)
                Memory = shared.ShareMemory(new MemoryArea(at, memory));
            EnableMigration();
        }

        public Register<uint>? Value { get; }

        public RegionMemory? Memory { get; }
    }
}
