namespace VfioUser;

/// <summary>The status of serving a device, for other threads. Any thread.</summary>
internal sealed class ServingStatus
{
    private readonly Lock _gate = new();
    private ServingState _state;
    private PeerCredentials? _peer;
    private NegotiatedSession? _negotiated;
    private long _sessions;
    private Exception? _lastError;
    private ClientDisconnect? _lastDisconnect;
    private bool _stopping;
    private TaskCompletionSource? _clientLeft; // null while no one waits for it

    public ServingState State
    {
        get
        {
            lock (_gate)
                return _stopping && !IsOver(_state) ? ServingState.Stopping : _state;
        }
    }

    public PeerCredentials? Peer
    {
        get
        {
            lock (_gate)
                return _peer;
        }
    }

    /// <summary>What the attached client and the server agreed on; null without a session.</summary>
    public NegotiatedSession? Negotiated
    {
        get
        {
            lock (_gate)
                return _negotiated;
        }
    }

    /// <summary>Number of sessions so far.</summary>
    public long Sessions
    {
        get
        {
            lock (_gate)
                return _sessions;
        }
    }

    /// <summary>The failure of serving, or of the last session that failed.</summary>
    public Exception? LastError
    {
        get
        {
            lock (_gate)
                return _lastError;
        }
    }

    /// <summary>Of the last client that is not connected any more.</summary>
    public ClientDisconnect? LastDisconnect
    {
        get
        {
            lock (_gate)
                return _lastDisconnect;
        }
    }

    /// <summary>Completes when no client is connected.</summary>
    public Task WithoutClient
    {
        get
        {
            lock (_gate)
            {
                if (_peer is null)
                    return Task.CompletedTask;
                _clientLeft ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return _clientLeft.Task;
            }
        }
    }

    public void Connected(PeerCredentials peer)
    {
        lock (_gate)
            (_state, _peer) = (ServingState.Negotiating, peer);
    }

    public void Attached(NegotiatedSession negotiated)
    {
        lock (_gate)
            (_state, _negotiated, _sessions) = (ServingState.Attached, negotiated, _sessions + 1);
    }

    public void Detached(ClientDisconnect disconnect)
    {
        lock (_gate)
        {
            (_state, _peer, _negotiated) = (ServingState.Listening, null, null);
            _lastDisconnect = disconnect;
            ClientLeft();
        }
    }

    /// <summary>A session failed; serving continues.</summary>
    public void SessionFailed(Exception error)
    {
        lock (_gate)
            _lastError = error;
    }

    public void Stopping()
    {
        lock (_gate)
            _stopping = true;
    }

    public void Ended(Exception? failure)
    {
        lock (_gate)
        {
            _state = failure is null ? ServingState.Ended : ServingState.Failed;
            (_peer, _negotiated) = (null, null);
            _lastError = failure ?? _lastError;
            ClientLeft();
        }
    }

    // Under the lock.
    private void ClientLeft()
    {
        _clientLeft?.SetResult();
        _clientLeft = null;
    }

    private static bool IsOver(ServingState state) => state is ServingState.Ended or ServingState.Failed;
}
