using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Controller;

/// <summary>A client that changes its layout of memory unmaps what it moves, and maps it again a moment later.</summary>
public class MemoryChangeTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped, false)]
    [InlineData(GuestMemoryKind.Mapped, true)]
    [InlineData(GuestMemoryKind.TwinSocket, false)]
    public void Commands_that_are_rung_meanwhile_are_fetched_when_their_queue_is_back(GuestMemoryKind memory, bool shadow)
    {
        using Machine machine = new(memory, new NvmeControllerOptions { Spin = TimeSpan.Zero });
        if (shadow)
            machine.Driver.UseShadowDoorbells();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int round = 0; round < 10; round++)
        {
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
            machine.Guest.Memory.Unmap();
            for (int i = 0; i < 8; i++)
                queue.Put(NewCommand.Io(IoOpcode.Flush));
            queue.Ring();
            machine.Admin.Submit(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 1));
            for (int i = 0; i < 50 * round; i++)
                machine.Driver.HasFailed.Should().BeFalse();

            machine.Guest.Memory.Map();

            for (int i = 0; i < 8; i++)
                NvmeDriver.Expect(queue.Take());
            NvmeDriver.Expect(machine.Admin.Take());
        }
        machine.Log.Should().BeEmpty();
    }

    [Fact]
    public void Completions_of_that_time_are_posted_when_their_queue_is_back()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1, 16);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        for (ulong lba = 0; lba < 4; lba++)
            queue.Put(NewCommand.Io(IoOpcode.Write, lba, 1, machine.NewPage()));
        queue.Ring();
        for (int i = 0; i < 4; i++)
            disk.WaitForAccess();

        machine.Guest.Memory.Unmap();
        disk.Release();
        SpinWait.SpinUntil(() => machine.Controller.Queues[1].InFlight == 0, TimeSpan.FromSeconds(60)).Should().BeTrue();
        machine.Driver.HasFailed.Should().BeFalse();
        machine.Guest.Memory.Map();

        for (int i = 0; i < 4; i++)
            NvmeDriver.Expect(queue.Take());
        for (int i = 0; i < 40; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage())));
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    public async Task Busy_queue_goes_on_while_memory_is_unmapped_and_mapped(GuestMemoryKind memory)
    {
        using Machine machine = new(memory);
        DriverQueue queue = machine.Driver.CreateQueue(1, 16);
        using CancellationTokenSource over = new();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));

        Task changing = Task.Run(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                machine.Guest.Memory.Unmap();
                machine.Guest.Memory.Map();
            }
        });
        int done = 0;
        while (!changing.IsCompleted || done < 1000)
        {
            for (int i = 0; i < 8; i++)
                queue.Put(NewCommand.Io(IoOpcode.Flush));
            queue.Ring();
            for (int i = 0; i < 8; i++, done++)
                NvmeDriver.Expect(queue.Take());
        }
        await changing;

        machine.Driver.HasFailed.Should().BeFalse(string.Join('\n', machine.Log));
    }
}
