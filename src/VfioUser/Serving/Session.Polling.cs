using VfioUser.Protocol;

namespace VfioUser;

/// <content>Commands for threads that do not wait. One at a time; which one may change from call to call.</content>
internal sealed partial class Session
{
    /// <summary>Whether the client has to read replies before it is listened to again.</summary>
    public bool HasUnsent => _channel.Socket.HasUnsent;

    /// <summary>Whether there are commands that were received and can be handled now, without a look at the socket.</summary>
    public bool HasReceived => !HasUnsent && !IsPending && _channel.HasReceived;

    /// <summary>Handles commands that are there, in order; receives once.</summary>
    /// <param name="left">How many it may still handle; counted down.</param>
    /// <returns>False when the client has gone.</returns>
    public bool RunSome(ref int left)
    {
        _commandThread = Thread.CurrentThread;
        Quiescence.MayWait = false;
        _metered = _log.Metrics.AreCommandsMetered;
        try
        {
            bool there = _channel.Socket.TrySendUnsent();
            // what was received while the device waited for the client is handled too
            for (bool first = true; there && left > 0 && (first ? !HasUnsent : HasReceived); first = false)
            {
                ReceivedMessage message;
                switch (IsPending ? Steps.TryContinue(out message) : _channel.ReceiveCommand(wait: false, out message))
                {
                    case ReceiveStatus.Empty:
                        return true;
                    case ReceiveStatus.Closed:
                        return false;
                }
                do
                {
                    // the device is coming to rest or uses memory that goes, or the client left before
                    if (!Dispatch(message))
                        return Replies.Flush() && IsPending;
                }
                while (--left > 0 && !HasUnsent && _channel.TryNextBuffered(out message));
                there = Replies.Flush();
            }
            return there;
        }
        finally
        {
            _commandThread = null;
        }
    }
}
