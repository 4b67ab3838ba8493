using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Reservations;

/// <summary>What a reservation keeps from whom, and how it goes from one host to another.</summary>
public class ReservationTests
{
    private const ulong Holder = 0xA, Registered = 0xB, Third = 0xC;

    // NVMe 2.0 figure 502: whether a registrant that is not the holder, and one that is none, may read and write
    [Theory]
    [InlineData(1, true, false, true, false)]
    [InlineData(2, false, false, false, false)]
    [InlineData(3, true, true, true, false)]
    [InlineData(4, true, true, false, false)]
    [InlineData(5, true, true, true, false)]
    [InlineData(6, true, true, false, false)]
    public void Type_decides_who_reads_and_who_writes(int type, bool registrantReads, bool registrantWrites, bool otherReads, bool otherWrites)
    {
        using SharedDisks shared = new(controllers: 4);
        DriverQueue[] queues = [shared[0].QueueOf(1), shared[1].QueueOf(2), shared[2].QueueOf(3), shared[3].Driver.CreateQueue(1)];
        shared[0].Register(queues[0], Holder).Should().Be(Status.Success);
        shared[1].Register(queues[1], Registered).Should().Be(Status.Success);

        shared[0].Acquire(queues[0], Holder, (ReservationType)type).Should().Be(Status.Success);

        Check(shared[0], queues[0], reads: true, writes: true);
        Check(shared[1], queues[1], registrantReads, registrantWrites);
        Check(shared[2], queues[2], otherReads, otherWrites);
        Check(shared[3], queues[3], otherReads, otherWrites); // whose driver has not said who it is
        shared[0].Release(queues[0], Holder, (ReservationType)type).Should().Be(Status.Success);
        Check(shared[2], queues[2], reads: true, writes: true);
    }

    // NVMe 2.0 figure 503 and NVM command set 1.0 figure 100
    private static void Check(SharedDisks.Path path, DriverQueue queue, bool reads, bool writes)
    {
        Iova zeros = path.Place(new byte[4096]);
        Dictionary<IoOpcode, Command> commands = new()
        {
            [IoOpcode.Read] = NewCommand.Io(IoOpcode.Read, 0, 1, path.NewPage()),
            [IoOpcode.Compare] = NewCommand.Io(IoOpcode.Compare, 8, 1, zeros),
            [IoOpcode.Verify] = NewCommand.Io(IoOpcode.Verify),
            [IoOpcode.Write] = NewCommand.Io(IoOpcode.Write, 0, 1, zeros),
            [IoOpcode.WriteZeroes] = NewCommand.Io(IoOpcode.WriteZeroes),
            [IoOpcode.WriteUncorrectable] = NewCommand.Io(IoOpcode.WriteUncorrectable, 100),
            [IoOpcode.DatasetManagement] = NewCommand.Io(IoOpcode.DatasetManagement, 0, 1, zeros) with { Dword10 = 0, Dword11 = 4 },
            [IoOpcode.Flush] = NewCommand.Io(IoOpcode.Flush),
            [IoOpcode.Copy] = NewCommand.Io(IoOpcode.Copy, 0, 1, zeros) with { Dword12 = 0 },
        };
        foreach ((IoOpcode opcode, Command command) in commands)
        {
            bool allowed = opcode is IoOpcode.Read or IoOpcode.Compare or IoOpcode.Verify ? reads : writes;
            Completion ended = queue.Execute(command);
            ended.Status.Should().Be(allowed ? Status.Success : Status.ReservationConflict, "the command is {0}", opcode);
            ended.DoNotRetry.Should().Be(!allowed);
        }
        queue.Execute(NewCommand.Io(IoOpcode.Flush, nsid: 0xFFFF_FFFF)).Status.Should().Be(writes ? Status.Success : Status.ReservationConflict);
        queue.Put(NewCommand.Io(IoOpcode.Compare, 0, 1, zeros) with { Flags = 1 });
        queue.Put(NewCommand.Io(IoOpcode.Write, 0, 1, zeros) with { Flags = 2 });
        queue.Ring();
        Status[] fused = [queue.Take().Status, queue.Take().Status];
        fused.Should().Equal(writes ? [Status.Success, Status.Success] : [Status.ReservationConflict, Status.FailedFused]);
        path.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1)).Status.Should().Be(writes ? Status.Success : Status.ReservationConflict);
        Iova list = path.Place([1, 0, 0, 0, .. new byte[4092]]);
        path.Admin.Execute(NewCommand.Admin(AdminOpcode.NamespaceAttachment, 1, list)).Status
            .Should().Be(writes ? Status.NamespaceAlreadyAttached : Status.ReservationConflict);
        path.Page(NewCommand.Identify(0, default, 1));
    }

    [Fact]
    public void Reservation_of_one_namespace_leaves_the_others_alone()
    {
        using SharedDisks shared = new([new NvmeNamespace(new MemoryDisk(1 << 20)), new NvmeNamespace(new MemoryDisk(1 << 20))]);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        NvmeDriver.Expect(second.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[1].NewPage(), nsid: 2)));

        second.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[1].NewPage())).Status.Should().Be(Status.ReservationConflict);
        second.Execute(NewCommand.Io(IoOpcode.Flush, nsid: 0xFFFF_FFFF)).Status.Should().Be(Status.ReservationConflict, "one of them is reserved");
        shared[1].Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 0xFFFF_FFFF)).Status.Should().Be(Status.ReservationConflict);
    }

    [Fact]
    public void Acquire_is_for_registrants_that_know_their_key_and_while_nobody_holds_one()
    {
        using SharedDisks shared = new();
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);

        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict, "it is not registered");
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[0].Acquire(first, Registered, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict, "it is another's key");
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success, "it has it");
        shared[0].Acquire(first, Holder, ReservationType.ExclusiveAccess).Should().Be(Status.ReservationConflict, "it has another one");
        shared[1].Acquire(second, Registered, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict);
        shared[1].Report(second).Registrants.Should().Equal(((ushort)0, true, (UInt128)1, Holder), ((ushort)1, false, (UInt128)2, Registered));
    }

    [Fact]
    public void All_registrants_hold_a_reservation_of_all_until_the_last_one_unregisters()
    {
        using SharedDisks shared = new(controllers: 3);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2), other = shared[2].QueueOf(3);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.ExclusiveAccessAllRegistrants).Should().Be(Status.Success);

        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[1].Acquire(second, Registered, ReservationType.ExclusiveAccessAllRegistrants).Should().Be(Status.Success);
        bool[] holds = [.. shared[2].Report(other).Registrants.Select(registrant => registrant.Holds)];
        shared[0].Unregister(first, Holder).Should().Be(Status.Success);
        ReservationType left = shared[2].Report(other).Type;
        shared[1].Unregister(second, Registered).Should().Be(Status.Success);

        holds.Should().Equal(true, true);
        left.Should().Be(ReservationType.ExclusiveAccessAllRegistrants);
        shared[2].Report(other).Type.Should().Be(ReservationType.None);
    }

    [Fact]
    public void Release_is_for_the_holder_and_of_the_type_that_there_is()
    {
        using SharedDisks shared = new();
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);

        shared[1].Release(second, Registered, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict, "it is not registered");
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[1].Release(second, Registered, ReservationType.WriteExclusive).Should().Be(Status.Success, "it holds none, and nothing happens");
        shared[0].Release(first, Registered, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict, "it is another's key");
        shared[0].Release(first, Holder, ReservationType.ExclusiveAccess).Should().Be(Status.InvalidField);
        shared[0].Report(first).Type.Should().Be(ReservationType.WriteExclusive);
        uint generation = shared[0].Report(first).Generation;
        shared[0].Release(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);

        shared[0].Report(first).Should().BeEquivalentTo(new { Type = ReservationType.None, Generation = generation });
    }

    [Fact]
    public void Holder_that_unregisters_gives_its_reservation_up()
    {
        using SharedDisks shared = new();
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        shared[0].Unregister(first, Holder).Should().Be(Status.Success);

        NvmeDriver.Expect(second.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[1].NewPage())));
        shared[1].Report(second).Type.Should().Be(ReservationType.None);
    }

    [Fact]
    public void Clear_takes_everybodys_registration()
    {
        using SharedDisks shared = new(controllers: 3);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2), other = shared[2].QueueOf(3);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        shared[2].Clear(other, Third).Should().Be(Status.ReservationConflict);
        shared[1].Clear(second, Holder).Should().Be(Status.ReservationConflict);
        shared[1].Clear(second, Registered).Should().Be(Status.Success);

        shared[2].Report(other).Should().BeEquivalentTo(new { Type = ReservationType.None, Generation = 3u });
        shared[2].Report(other).Registrants.Should().BeEmpty();
    }

    [Fact]
    public void Preempt_unregisters_the_holder_and_takes_its_place()
    {
        using SharedDisks shared = new(controllers: 3);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2), third = shared[2].QueueOf(3);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[2].Register(third, Third).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        shared[1].Preempt(second, Third, Holder, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict, "it is another's key");
        shared[1].Preempt(second, Registered, 0x99, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict, "nobody has that key");
        shared[1].Preempt(second, Registered, 0, ReservationType.WriteExclusive).Should().Be(Status.InvalidField);
        shared[1].Preempt(second, Registered, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);

        shared[0].Report(first).Should().BeEquivalentTo(new { Type = ReservationType.WriteExclusive, Generation = 4u });
        shared[0].Report(first).Registrants.Should().Equal(((ushort)1, true, (UInt128)2, Registered), ((ushort)2, false, (UInt128)3, Third));
        first.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage())).Status.Should().Be(Status.ReservationConflict);
        NvmeDriver.Expect(second.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[1].NewPage())));
    }

    [Fact]
    public void Preempt_of_others_leaves_the_reservation_where_it_is()
    {
        using SharedDisks shared = new(controllers: 3);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2), third = shared[2].QueueOf(3);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[2].Register(third, Registered).Should().Be(Status.Success, "two hosts may have one key");

        shared[0].Preempt(first, Holder, 0, ReservationType.WriteExclusive).Should().Be(Status.ReservationConflict, "there is no reservation, and no key 0");
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);
        shared[0].Preempt(first, Holder, Registered, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        shared[0].Report(first).Type.Should().Be(ReservationType.WriteExclusive);
        shared[0].Report(first).Registrants.Should().Equal(((ushort)0, true, (UInt128)1, Holder));
    }

    [Fact]
    public void Preempt_of_key_0_takes_a_reservation_of_all_registrants()
    {
        using SharedDisks shared = new(controllers: 3);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2), third = shared[2].QueueOf(3);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[2].Register(third, Third).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusiveAllRegistrants).Should().Be(Status.Success);

        shared[1].Preempt(second, Registered, Third, ReservationType.ExclusiveAccess).Should().Be(Status.Success);
        ReservationGuest.Reported one = shared[0].Report(first);
        shared[1].Preempt(second, Registered, 0, ReservationType.ExclusiveAccess).Should().Be(Status.Success);

        one.Type.Should().Be(ReservationType.WriteExclusiveAllRegistrants);
        one.Registrants.Select(registrant => registrant.Key).Should().Equal(Holder, Registered);
        shared[0].Report(first).Type.Should().Be(ReservationType.ExclusiveAccess);
        shared[0].Report(first).Registrants.Should().Equal(((ushort)1, true, (UInt128)2, Registered));
    }

    [Fact]
    public void Holder_changes_the_type_by_preempting_itself()
    {
        using SharedDisks shared = new();
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Holder).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);

        shared[0].Preempt(first, Holder, Holder, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);

        shared[0].Report(first).Type.Should().Be(ReservationType.WriteExclusiveRegistrantsOnly);
        shared[0].Report(first).Registrants.Should().Equal(((ushort)0, true, (UInt128)1, Holder));
    }

    [Fact]
    public void Preempt_and_abort_ends_when_what_the_other_host_had_begun_is_over()
    {
        using LaterDisk disk = new(1 << 20);
        using SharedDisks shared = new([new NvmeNamespace(disk)]);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);
        for (int i = 0; i < 3; i++)
            first.Put(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage()));
        first.Ring();
        for (int i = 0; i < 3; i++)
            disk.Take(); // and it never answers

        shared[1].Preempt(second, Registered, Holder, ReservationType.WriteExclusive, abort: true).Should().Be(Status.Success);

        for (int i = 0; i < 3; i++)
            first.Take().Status.Should().Be(Status.AbortedByPreempt);
        first.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage())).Status.Should().Be(Status.ReservationConflict);
        shared[1].Report(second).Registrants.Should().Equal(((ushort)1, true, (UInt128)2, Registered));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Preempt_and_abort_ends_the_half_of_a_fused_operation_that_waits_for_the_disk(bool writes)
    {
        using LaterDisk disk = new(1 << 20);
        using SharedDisks shared = new([new NvmeNamespace(disk)]);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusive).Should().Be(Status.Success);
        first.PutAs(1, NewCommand.Io(IoOpcode.Compare, 0, 1, shared[0].Place(new byte[512])) with { Flags = 1 });
        first.PutAs(2, NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].Place(Machine.Pattern(512))) with { Flags = 2 });
        first.Ring();
        LaterDisk.Request compare = disk.Take();
        if (writes)
        {
            compare.Answer();
            disk.Take(); // and it never answers
        }

        shared[1].Preempt(second, Registered, Holder, ReservationType.WriteExclusive, abort: true).Should().Be(Status.Success);

        Completion[] halves = [.. new[] { first.Take(), first.Take() }.OrderBy(half => half.CommandId)];
        halves.Select(half => half.Status).Should().Equal(writes ? [Status.Success, Status.AbortedByPreempt] : [Status.AbortedByPreempt, Status.FailedFused]);
        first.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage())).Status.Should().Be(Status.ReservationConflict);
        Iova page = shared[1].NewPage();
        second.Put(NewCommand.Io(IoOpcode.Read, 0, 1, page));
        second.Ring();
        disk.Take().Answer();
        NvmeDriver.Expect(second.Take());
        shared[1].Read(page, 512).Should().Equal(new byte[512], "nothing was written");
    }

    [Fact]
    public void Fused_operation_that_waits_for_commands_of_others_ends_when_its_host_is_preempted()
    {
        using LaterDisk disk = new(1 << 20);
        using SharedDisks shared = new([new NvmeNamespace(disk)]);
        DriverQueue first = shared[0].QueueOf(1), second = shared[1].QueueOf(2);
        shared[0].Register(first, Holder).Should().Be(Status.Success);
        shared[1].Register(second, Registered).Should().Be(Status.Success);
        shared[0].Acquire(first, Holder, ReservationType.WriteExclusiveRegistrantsOnly).Should().Be(Status.Success);
        first.Put(NewCommand.Io(IoOpcode.Read, 0, 1, shared[0].NewPage()));
        first.Put(NewCommand.Io(IoOpcode.Compare, 0, 1, shared[0].NewPage()) with { Flags = 1 });
        first.Put(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage()) with { Flags = 2 });
        first.Ring();
        disk.Take(); // the read, which is never answered

        shared[1].Preempt(second, Registered, Holder, ReservationType.WriteExclusive, abort: true).Should().Be(Status.Success);

        Status[] ends = [first.Take().Status, first.Take().Status, first.Take().Status];
        ends.Should().Contain(Status.AbortedByPreempt).And.Contain(Status.FailedFused);
    }

    [Fact]
    public void Hosts_that_preempt_each_other_under_load_end_with_one_holder()
    {
        using SharedDisks shared = new(controllers: 3);
        DriverQueue[] queues = [.. Enumerable.Range(0, 3).Select(i => shared[i].QueueOf((UInt128)i + 1))];

        Parallel.For(0, 3, new ParallelOptions { MaxDegreeOfParallelism = 3 }, i =>
        {
            SharedDisks.Path path = shared[i];
            ulong key = (ulong)i + 1;
            Random random = new(i);
            for (int turn = 0; turn < 60; turn++)
            {
                path.Replace(queues[i], 0, key, ignore: true).Should().Be(Status.Success);
                for (int write = 0; write < 4; write++)
                    queues[i].Put(NewCommand.Io(IoOpcode.Write, (ulong)random.Next(100), 1, path.NewPage()));
                queues[i].Put(path.Reservation(IoOpcode.ReservationAcquire, 2 | (uint)random.Next(1, 7) << 8, key, (ulong)random.Next(4)));
                queues[i].Put(path.Reservation(IoOpcode.ReservationAcquire, (uint)random.Next(1, 7) << 8, key, 0));
                queues[i].Ring();
                for (int taken = 0; taken < 6; taken++)
                    queues[i].Take().Status.Should().BeOneOf(Status.Success, Status.ReservationConflict, Status.AbortedByPreempt, Status.InvalidField);
            }
        });

        ReservationGuest.Reported report = shared[0].Report(queues[0]);
        if (report.Type is not (ReservationType.None or ReservationType.WriteExclusiveAllRegistrants or ReservationType.ExclusiveAccessAllRegistrants))
            report.Registrants.Count(registrant => registrant.Holds).Should().Be(1);
        report.Registrants.Select(registrant => registrant.Host).Should().OnlyHaveUniqueItems();
    }
}
