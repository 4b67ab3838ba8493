using FluentAssertions;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>Shared memory under Linux's virtio_pmem, which makes a disk of it.</summary>
public class SharedMemoryGuestTests
{
    private static readonly Initramfs Guest = new(modules: ["virtio_pmem", "nd_pmem"], programs: []);

    [VmFact]
    public async Task Linux_maps_the_memory_and_both_sides_see_what_is_written()
    {
        using MemoryDevice device = new();
        await using ServedDevice served = new(device);
        device.Memory.Span(4096, 5).Fill((byte)'a');
        await using VirtualMachine machine = await VirtualMachine.Start(Guest, served.SocketPath);
        await machine.Output("until [ -b /dev/pmem0 ]; do usleep 10000; done");

        (await machine.Output("cat /sys/block/pmem0/size")).Should().Be($"{MemoryDevice.Size / 512}");
        (await machine.Output("dd if=/dev/pmem0 bs=4096 skip=1 count=1 2>/dev/null | head -c 5")).Should().Be("aaaaa");
        await machine.Output("echo hello | dd of=/dev/pmem0 bs=4096 seek=2 conv=sync,fsync 2>/dev/null");

        device.Memory.Span(2 * 4096, 5).ToArray().Should().Equal("hello"u8.ToArray());
        device.Flushes.Should().BePositive("it was asked to keep it");
        await machine.PowerOff();
    }

    /// <summary>VIRTIO 1.3 5.19 "PMEM Device".</summary>
    private sealed class MemoryDevice : VirtioDevice
    {
        public const long Size = 32 << 20;
        private const ulong SharedMemoryFeature = 1 << 0;
        private int _flushes;

        public MemoryDevice()
            : base((VirtioDeviceType)27, queues: 1, SharedMemoryFeature)
        {
            AddQueue("requests", 64, Flush);
            Memory = AddSharedMemory(id: 0, Size);
        }

        public RegionMemory Memory { get; }

        public int Flushes => Volatile.Read(ref _flushes);

        private void Flush(VirtioChain chain)
        {
            Interlocked.Increment(ref _flushes);
            chain.Complete(chain.Writable.TryWrite(0, new byte[sizeof(uint)]) ? sizeof(uint) : 0);
        }
    }
}
