using Microsoft.Win32.SafeHandles;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Dma;

/// <summary>The devices of <c>docs/dma.md</c> do what it says, whichever way memory is reached.</summary>
public class DmaGuideTests
{
    public static TheoryData<GuestMemoryKind> Kinds => [.. Enum.GetValues<GuestMemoryKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_buffer_is_filled_in_place_or_through_a_copy(GuestMemoryKind kind)
    {
        using var guest = TestGuest.Attach(new Filler(), kind);
        Iova buffer = guest.Memory.Allocate(4096);
        Iova descriptor = guest.Memory.Allocate(16);
        guest.Memory.WriteStruct(descriptor, new Descriptor(buffer.Value, 3, 0x7F));

        guest.Bar0.Write(0x00, descriptor.Value);

        guest.Bar0.Read<uint>(0x08).Should().Be(1);
        guest.Memory.Read<uint>(buffer).Should().Be(0x007F_7F7F);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_descriptor_that_points_nowhere_or_is_too_long_is_an_answer_and_no_exception(GuestMemoryKind kind)
    {
        using var guest = TestGuest.Attach(new Filler(), kind);
        Iova descriptor = guest.Memory.Allocate(16);

        guest.Bar0.Write(0x00, 0xDEAD_0000ul);
        guest.Bar0.Read<uint>(0x08).Should().Be(2);
        guest.Memory.WriteStruct(descriptor, new Descriptor(descriptor.Value, uint.MaxValue, 0));
        guest.Bar0.Write(0x00, descriptor.Value);

        guest.Bar0.Read<uint>(0x08).Should().Be(2);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_semaphore_is_taken_once_where_memory_is_mapped(GuestMemoryKind kind)
    {
        Semaphore device = new();
        using var guest = TestGuest.Attach(device, kind);
        Iova semaphore = guest.Memory.Allocate(4);

        bool first = device.TryTake(semaphore);
        bool second = device.TryTake(semaphore);

        (first, second).Should().Be((kind == GuestMemoryKind.Mapped, false));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_lease_is_held_for_several_writes(GuestMemoryKind kind)
    {
        Recorder recorder = new();
        using var guest = TestGuest.Attach(recorder, kind);
        Iova buffer = guest.Memory.Allocate(4096);
        byte[] samples = [.. Enumerable.Range(0, 1500).Select(i => (byte)i)];
        byte[] recorded = new byte[1500];

        // beside the commands; the guest answers where memory comes by message
        bool done = await Task.Factory.StartNew(() => recorder.TryRecord(buffer, samples),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        done.Should().BeTrue();
        guest.Memory.Read(buffer, recorded);
        recorded.Should().Equal(samples);
        recorder.IsMapped(buffer).Should().Be(kind == GuestMemoryKind.Mapped);
        recorder.TryRecord(new Iova(0), samples).Should().BeFalse();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_disk_is_read_into_the_buffers_of_the_guest(GuestMemoryKind kind)
    {
        Disk device = new();
        using var guest = TestGuest.Attach(device, kind);
        Iova buffer = guest.Memory.Allocate(4096);
        using SafeFileHandle file = File.OpenHandle(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()),
            FileMode.CreateNew, FileAccess.ReadWrite, options: FileOptions.DeleteOnClose);
        RandomAccess.Write(file, [1, 2, 3, 4, 5], 0);

        bool done = await device.TryReadAsync(file, 1, [(buffer + 8, 3), (buffer, 1)]);

        done.Should().BeTrue();
        byte[] read = new byte[11];
        guest.Memory.Read(buffer, read);
        read.Should().Equal(5, 0, 0, 0, 0, 0, 0, 0, 2, 3, 4);
        (await device.TryReadAsync(file, 0, [(new Iova(8), 3)])).Should().BeFalse();
        (await device.TryReadAsync(file, 0, [(buffer, uint.MaxValue)])).Should().BeFalse();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_simulator_has_the_memory_that_has_a_descriptor_until_it_is_unmapped(GuestMemoryKind kind)
    {
        Simulator simulator = new();
        using var guest = TestGuest.Attach(simulator, kind);
        Iova place = guest.Place([0x42]);
        bool hasDescriptor = kind is GuestMemoryKind.Mapped or GuestMemoryKind.FileIo;

        DmaResult given = simulator.Give(simulator.Dma.Regions[0]);

        given.Status.Should().Be(hasDescriptor ? DmaStatus.Done : DmaStatus.NoDescriptor);
        simulator.Peek(place).Should().Be(hasDescriptor ? (byte)0x42 : null);
        guest.Memory.Unmap();
        simulator.Count.Should().Be(0);
    }

    [Fact]
    public void A_wrong_address_is_an_error_of_the_driver_and_a_disconnect_is_not()
    {
        Completer completer = new();
        List<string> log = [];
        using (var guest = TestGuest.Attach(completer))
        {
            Iova completion = guest.Memory.Allocate(4096);
            completer.Complete(completion, 5, log.Add);
            completer.Status.Value.Should().Be(0);
            guest.Memory.Read<ulong>(completion).Should().Be(5);

            completer.Complete(new Iova(8), 5, log.Add);
            completer.Status.Value.Should().Be(1);
            log.Should().BeEmpty();
        }

        completer.Complete(new Iova(8), 5, log.Add);

        log.Should().Equal("a completion is lost: 0x8: no client");
    }
}
